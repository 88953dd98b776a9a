//! What a session reuses of earlier loads, and when it does not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tilt::tiltfile::{LoadRequest, MemoryHost, Ran};

use crate::support::{load_with, request};

/// A session whose Tiltfile need not declare anything.
fn session() -> LoadRequest {
    let mut request = request();
    request.subcommand = "down";
    request
}

fn host(tiltfile: &str, files: &[(&str, &str)]) -> MemoryHost {
    let ran = Ran {
        stdout: b"made\n".to_vec(),
        ..Ran::default()
    };
    let host = MemoryHost::default()
        .with_file("/src/Tiltfile", tiltfile)
        .with_command("make", ran.clone())
        .with_command("make other", ran);
    files
        .iter()
        .fold(host, |host, (path, content)| host.with_file(path, *content))
}

/// Loads, and returns what ran and what was logged.
#[track_caller]
fn load(request: &LoadRequest, host: &MemoryHost) -> (Vec<String>, String) {
    let n_before = host.ran().len();
    let (load, log) = load_with(request, host);
    assert_eq!(load.error_text(), None);
    (host.ran().split_off(n_before), log)
}

#[test]
fn a_command_that_says_what_it_reads_runs_once() {
    let request = session();
    let host = host("print(local('make', deps=['in']))\n", &[("/src/in", "1")]);
    let (ran, first) = load(&request, &host);
    assert_eq!(ran, ["make"]);
    let (ran, second) = load(&request, &host);
    assert_eq!(ran, [""; 0]);
    assert_eq!(first, second, "its output is shown all the same");
    assert!(second.contains("made"), "{second}");
}

#[test]
fn a_command_that_does_not_say_runs_each_time() {
    let request = session();
    let host = host("local('make')\n", &[]);
    assert_eq!(load(&request, &host).0, ["make"]);
    assert_eq!(load(&request, &host).0, ["make"]);
}

#[test]
fn anything_that_a_command_depends_on_makes_it_run_again() {
    let before = (
        "local('make', deps=['in', 'tree'])\n",
        vec![("/src/in", "1"), ("/src/tree/a", "1")],
    );
    let rows = [
        ("a file", before.0, vec![("/src/in", "2"), ("/src/tree/a", "1")]),
        ("a file that is gone", before.0, vec![("/src/tree/a", "1")]),
        (
            "a file below",
            before.0,
            vec![("/src/in", "1"), ("/src/tree/a", "2")],
        ),
        (
            "a new file below",
            before.0,
            vec![("/src/in", "1"), ("/src/tree/a", "1"), ("/src/tree/b/c", "")],
        ),
        (
            "a renamed file",
            before.0,
            vec![("/src/in", "1"), ("/src/tree/b", "1")],
        ),
        (
            "the arguments",
            "local('make other', deps=['in', 'tree'])\n",
            before.1.clone(),
        ),
        (
            "the environment",
            "local('make', deps=['in', 'tree'], env={'A': '1'})\n",
            before.1.clone(),
        ),
        (
            "the directory",
            "local('make', deps=['in', 'tree'], dir='tree')\n",
            before.1.clone(),
        ),
        (
            "the input",
            "local('make', deps=['in', 'tree'], stdin='x')\n",
            before.1.clone(),
        ),
        ("the paths", "local('make', deps=['in'])\n", before.1.clone()),
    ];
    for (what, tiltfile, files) in rows {
        let request = session();
        let first = host(before.0, &before.1);
        assert_eq!(load(&request, &first).0.len(), 1);
        assert_eq!(load(&request, &first).0.len(), 0);
        assert_eq!(load(&request, &host(tiltfile, &files)).0.len(), 1, "{what}");
    }
    let request = session();
    let first = host(before.0, &before.1);
    load(&request, &first);
    assert_eq!(
        load(&request, &first.with_env("HOME", "/other")).0.len(),
        1,
        "a variable"
    );
}

#[test]
fn a_failure_is_not_kept() {
    let request = session();
    let failing = MemoryHost::new("--- Tiltfile\nlocal('make', deps=[])\n").with_command(
        "make",
        Ran {
            failure: Some("exit status 1".to_owned()),
            ..Ran::default()
        },
    );
    for n_runs in 1..3 {
        let (load, _) = load_with(&request, &failing);
        assert!(load.error_text().is_some());
        assert_eq!(failing.ran().len(), n_runs);
    }
}

#[test]
fn what_a_load_has_no_use_for_is_forgotten() {
    let request = session();
    let with = host("local('make', deps=[])\n", &[]);
    assert_eq!(load(&request, &with).0.len(), 1);
    load(&request, &host("print(1)\n", &[]));
    assert_eq!(load(&request, &with).0.len(), 1);
}

#[test]
fn paths_that_a_command_reads_are_watched() {
    let host = host("local('make', deps=['in', 'tree'])\n", &[("/src/tree/a", "1")]);
    let (load, _) = load_with(&session(), &host);
    let watched: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert_eq!(
        watched,
        ["/src/.tiltignore", "/src/Tiltfile", "/src/in", "/src/tree"]
    );
}

#[test]
fn calls_are_timed_and_say_whether_they_reused_something() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    fn clock() -> Instant {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(tilt::clock::now);
        *START + Duration::from_secs(NOW.fetch_add(1, Ordering::Relaxed))
    }
    let mut request = session();
    let host = host(
        "def f():\n    local('make', quiet=True, deps=[])\nf()\nprint('x' * 200)\n",
        &[],
    );
    load_with(&request, &host);
    request.clock = Some(clock);
    let (load, _) = load_with(&request, &host);
    let calls: Vec<String> = load
        .calls
        .iter()
        .map(|call| {
            format!(
                "{}({}) {:?} {}",
                call.name, call.arguments, call.took, call.reused
            )
        })
        .collect();
    assert_eq!(
        calls,
        [
            "local(\"make\", quiet=True, deps=[]) 1s true".to_owned(),
            format!("print(\"{}...) 1s false", "x".repeat(79)),
        ]
    );
}

/// A host where helm and kustomize give a config map.
fn rendering(tiltfile: &str, files: &[(&str, &str)]) -> MemoryHost {
    let ran = |stdout: &str| Ran {
        stdout: stdout.into(),
        ..Ran::default()
    };
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let commands = [
        ("helm version --short", "v3.18.6\n"),
        (
            "helm template chart /src/chart --include-crds --values v.yaml",
            yaml,
        ),
        (
            "helm template chart /src/chart --include-crds --values https://x/v.yaml",
            yaml,
        ),
        ("kustomize build over", yaml),
        ("kustomize build --enable-helm over", yaml),
    ];
    let host = files.iter().fold(MemoryHost::default(), |host, (path, content)| {
        host.with_file(&format!("/src/{path}"), *content)
    });
    let host = host
        .with_file("/src/Tiltfile", tiltfile)
        .with_env("PATH", "/bin")
        .with_file("/bin/kustomize", "");
    commands.iter().fold(host, |host, (command, stdout)| {
        host.with_command(command, ran(stdout))
    })
}

/// Loads files, then others, and returns what ran the second time.
#[track_caller]
fn second(tiltfile: &str, before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
    let request = session();
    let first = load(&request, &rendering(tiltfile, before)).0;
    assert!(!first.is_empty());
    load(&request, &rendering(tiltfile, after)).0
}

#[test]
fn a_chart_is_rendered_again_when_it_or_its_values_have_changed() {
    let tiltfile = "k8s_yaml(helm('chart', values='v.yaml'))\n";
    let files = [
        ("chart/Chart.yaml", "name: a"),
        ("chart/templates/a.yaml", "x"),
        ("v.yaml", "n: 1"),
        ("other", "1"),
    ];
    let template = "helm template chart /src/chart --include-crds --values v.yaml";
    let with = |at: usize, content| {
        let mut files = files;
        files[at].1 = content;
        files
    };
    assert_eq!(second(tiltfile, &files, &files), [""; 0]);
    assert_eq!(second(tiltfile, &files, &with(3, "2")), [""; 0]);
    assert_eq!(second(tiltfile, &files, &with(1, "y")), [template]);
    assert_eq!(second(tiltfile, &files, &with(2, "n: 2")), [template]);
    let remote = "k8s_yaml(helm('chart', values='https://x/v.yaml'))\n";
    assert_eq!(
        second(remote, &files, &files).len(),
        1,
        "an address may give something else"
    );
}

#[test]
fn a_kustomization_is_built_again_when_something_of_it_has_changed() {
    let over = "resources: [../base]\npatches: [{path: p.yaml}]\nconfigMapGenerator: [{name: c, files: [k=data.txt]}]\n";
    let files = [
        ("over/kustomization.yaml", over),
        ("over/p.yaml", "p"),
        ("over/data.txt", "1"),
        ("base/kustomization.yml", "resources: [a.yaml]"),
        ("base/a.yaml", "a"),
        ("base/other.yaml", "o"),
    ];
    let tiltfile = "k8s_yaml(kustomize('over'))\n";
    assert_eq!(second(tiltfile, &files, &files), [""; 0]);
    let mut changed = files;
    changed[5].1 = "2";
    assert_eq!(second(tiltfile, &files, &changed), [""; 0]);
    for at in 1..5 {
        let mut changed = files;
        changed[at].1 = if at == 3 {
            "resources: [a.yaml, other.yaml]"
        } else {
            "changed"
        };
        assert_eq!(
            second(tiltfile, &files, &changed),
            ["kustomize build over"],
            "{}",
            files[at].0
        );
    }
    for unknown in [
        "resources: ['https://example.com/x']",
        "resources: ['github.com/x/y?ref=v1']",
        "helmCharts: [{name: x}]",
        "generators: [x.yaml]",
    ] {
        let files = [("over/kustomization.yaml", unknown)];
        assert_eq!(second(tiltfile, &files, &files).len(), 1, "{unknown}");
    }
    let flagged = "k8s_yaml(kustomize('over', flags=['--enable-helm']))\n";
    assert_eq!(second(flagged, &files, &files).len(), 1);
}
