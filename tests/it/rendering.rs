//! `helm` and `kustomize`: the commands that they run, what is watched, and each error.

use tilt::tiltfile::{Load, MemoryHost, Ran};

use crate::support::{load_with, request};

const CHART: &str =
    "--- chart/Chart.yaml\nname: nest\n--- chart/templates/web.yaml\nkind: X\nname: {{ fail }}\n";
const RENDERED: &str = "---\n# Source: nest/templates/web.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: egg}\n---\n\
                        # Source: nest/templates/tests/t.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: test}\n";

fn ok(stdout: &str) -> Ran {
    Ran {
        stdout: stdout.into(),
        ..Ran::default()
    }
}

fn failed(stderr: &str) -> Ran {
    Ran {
        failure: Some("exit status 1".to_owned()),
        stderr: stderr.into(),
        ..Ran::default()
    }
}

fn helm_host(tiltfile: &str, command: &str, ran: Ran) -> MemoryHost {
    MemoryHost::new(&format!("--- Tiltfile\n{tiltfile}\n{CHART}"))
        .with_command("helm version --short", ok("WARNING: x\nv3.18.6+gb76a950\n"))
        .with_command(command, ran)
}

fn load(host: &MemoryHost) -> Load {
    load_with(&request(), host).0
}

fn watched(load: &Load) -> Vec<String> {
    load.config_files.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check_error(host: &MemoryHost, expected: &str) {
    let found = load(host).error_text().expect("the load must fail");
    assert!(found.contains(expected), "wanted {expected:?} in\n{found}");
}

#[test]
fn helm_runs_with_everything_that_the_call_says() {
    for (call, command) in [
        ("helm('chart')", "helm template chart /src/chart --include-crds"),
        (
            "helm('./chart', 'r', 'ns', 'v.yaml', 'a=b', '1.30', True)",
            "helm template r /src/chart --namespace ns --kube-version 1.30 --values v.yaml --set a=b",
        ),
        (
            "helm('chart', values=['a.yaml', './b.yaml'], set=['x=1', 'y=2'])",
            "helm template chart /src/chart --include-crds --values a.yaml --values ./b.yaml --set x=1 --set y=2",
        ),
    ] {
        let host = helm_host(&format!("k8s_yaml({call})"), command, ok(RENDERED));
        assert_eq!(load(&host).error_text(), None, "{call}");
        assert_eq!(host.ran(), ["helm version --short", command]);
    }
}

#[test]
fn tests_of_a_chart_are_dropped_and_a_namespace_is_written_into_objects() {
    let command = "helm template chart /src/chart --namespace oak --include-crds";
    let host = helm_host("k8s_yaml(helm('chart', namespace='oak'))", command, ok(RENDERED));
    let load = load(&host);
    let json = load.result_json();
    assert!(json.contains("namespace: oak"), "{json}");
    assert!(!json.contains("kind: Pod"), "{json}");
}

#[test]
fn a_chart_its_values_and_charts_beside_it_are_watched() {
    let command = "helm template chart /src/chart --include-crds --values v.yaml";
    let host = helm_host("k8s_yaml(helm('chart', values='v.yaml'))", command, ok(RENDERED)).with_file(
        "/src/chart/requirements.yaml",
        "dependencies:\n- {name: a, repository: 'file://../sub'}\n- {name: b, repository: 'https://x.org'}\n",
    );
    assert_eq!(
        watched(&load(&host)),
        [
            "/src/.tiltignore",
            "/src/Tiltfile",
            "/src/chart",
            "/src/v.yaml",
            "/sub"
        ]
    );
}

fn no_helm_but(version: &str) -> MemoryHost {
    helm_host(
        "helm('chart')",
        "helm template chart /src/chart --include-crds",
        ok(""),
    )
    .with_command("helm version --short", ok(&format!("{version}\n")))
}

#[test]
fn each_error_of_helm_says_what_is_wrong() {
    let command = "helm template chart /src/chart --include-crds";
    let no_helm = MemoryHost::new(&format!("--- Tiltfile\nhelm('chart')\n{CHART}"));
    check_error(
        &no_helm,
        "Unable to find Helm installation. Make sure `helm` is on your $PATH.",
    );
    for version in ["v3.1.0", "3.1.0", "v4.1.0", "4.1.0+gabc"] {
        check_error(&no_helm_but(version), "No resources found.");
    }
    let old = no_helm.with_command("helm version --short", ok("Client: v2.16.1\n"));
    check_error(
        &old,
        "could not parse Helm version from string: \"Client: v2.16.1\\n\"",
    );
    check_error(
        &helm_host("helm('nothing')", command, ok("")),
        "Could not read Helm chart directory \"/src/nothing\": does not exist",
    );
    check_error(
        &helm_host("helm('chart/Chart.yaml')", command, ok("")),
        "helm() may only be called on directories with Chart.yaml: \"/src/chart/Chart.yaml\"",
    );
    let broken = helm_host(
        "k8s_yaml(helm('chart', namespace='a'))",
        "helm template chart /src/chart --namespace a --include-crds",
        ok("kind: x\n"),
    );
    check_error(&broken, "Error reading yaml from helm: /src/chart: ");
}

#[test]
fn a_failure_of_helm_shows_the_command_its_output_and_the_template() {
    let stderr = "Error: execution error at (nest/templates/web.yaml:2:9): the key is missing\n\nUse --debug flag to render out invalid YAML\n";
    let host = helm_host(
        "helm('chart')",
        "helm template chart /src/chart --include-crds",
        failed(stderr),
    );
    let error = load(&host).error_text().expect("the load must fail");
    insta::assert_snapshot!(error, @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:5: in <toplevel>
    Error in helm: command "helm template chart /src/chart --include-crds" failed.
    error: exit status 1
    stdout:

    stderr:
    Error: execution error at (nest/templates/web.yaml:2:9): the key is missing

    Use --debug flag to render out invalid YAML
     --> /src/chart/templates/web.yaml:2:10
      |
    2 | name: {{ fail }}
      |          ^^^^^^^
    "#);
}

fn kustomize_host(tiltfile: &str) -> MemoryHost {
    MemoryHost::new(&format!(
        "--- Tiltfile\n{tiltfile}\n--- dev/kustomization.yaml\nresources: [../base, extra.yaml]\npatches:\n- path: p.yaml\n\
         patchesStrategicMerge: [m.yaml]\nconfigMapGenerator:\n- name: c\n  files: [c.txt]\n--- dev/extra.yaml\nkind: X\n\
         --- base/Kustomization\nresources: [web.yaml]\n--- base/web.yaml\nkind: X\n"
    ))
    .with_env("PATH", "/nowhere:/usr/bin")
}

#[test]
fn kustomize_falls_back_to_kubectl_and_watches_what_is_referred_to() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: egg}\n";
    let host = kustomize_host("k8s_yaml(kustomize('dev', flags=['--enable-helm']))")
        .with_command("kubectl kustomize --enable-helm dev", ok(yaml));
    let (load, log) = load_with(&request(), &host);
    assert_eq!(load.error_text(), None);
    assert!(
        log.contains("Falling back to `kubectl kustomize` since `kustomize` was not found in PATH"),
        "{log}"
    );
    let expected = [
        "base/Kustomization",
        "base/web.yaml",
        "dev/c.txt",
        "dev/extra.yaml",
        "dev/kustomization.yaml",
        "dev/m.yaml",
        "dev/p.yaml",
    ];
    for file in expected {
        assert!(watched(&load).contains(&format!("/src/{file}")), "{file}");
    }
    assert_eq!(load.config_files.len(), expected.len() + 2);
}

#[test]
fn kustomize_itself_is_used_where_it_is_found_or_named() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: egg}\n";
    let host = kustomize_host("k8s_yaml(kustomize('./dev/'))")
        .with_file("/usr/bin/kustomize", "")
        .with_command("kustomize build dev", ok(yaml));
    assert_eq!(load(&host).error_text(), None);
    let host = kustomize_host("k8s_yaml(kustomize('dev', kustomize_bin='bin/k'))")
        .with_command("/src/bin/k build dev", ok(yaml));
    assert_eq!(load(&host).error_text(), None);
}

#[test]
fn each_error_of_kustomize_says_what_is_wrong() {
    check_error(
        &kustomize_host("kustomize('dev', kustomize_bin='bin/k')"),
        "fork/exec /src/bin/k: no such file or directory",
    );
    check_error(
        &kustomize_host("kustomize('dev')"),
        "exec: \"kubectl\": executable file not found in $PATH",
    );
    let host = kustomize_host("kustomize('dev')").with_command(
        "kubectl kustomize dev",
        failed("error: accumulating resources from 'extra.yaml': missing metadata.name in object\n"),
    );
    let error = load(&host).error_text().expect("the load must fail");
    insta::assert_snapshot!(error, @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:10: in <toplevel>
    Error in kustomize: command "kubectl kustomize dev" failed.
    error: exit status 1
    stdout:

    stderr:
    error: accumulating resources from 'extra.yaml': missing metadata.name in object
      |
    1 | kustomize('dev')
      |           ^^^^^
    hint: look at /src/dev/extra.yaml
    "#);
    let outside = kustomize_host("kustomize('dev')").with_command(
        "kubectl kustomize dev",
        failed(
            "error: accumulating resources: accumulation err='accumulating resources from '../base/cm.yaml': security; file \
             '/src/base/cm.yaml' is not in or below '/src/dev''\n",
        ),
    );
    let error = load(&outside).error_text().expect("the load must fail");
    assert!(
        error.contains("flags=['--load-restrictor=LoadRestrictionsNone']"),
        "{error}"
    );
    assert!(!error.contains("look at"), "{error}");
    let host = kustomize_host("kustomize('dev')")
        .with_command("kubectl kustomize dev", ok(""))
        .with_file("/src/base/kustomization.yml", "resources: []\n");
    check_error(
        &host,
        "resolving deps: Found multiple kustomization files under: /src/base",
    );
}
