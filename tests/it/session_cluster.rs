//! Which cluster the programs reach that a session starts: the session's, whatever the kubeconfig's current context is.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::os::unix::fs::PermissionsExt;

use crate::commands::Folder;
use crate::local_resources::Up;

/// `prod` is the current context; nobody listens anywhere.
const TWO_CONTEXTS: &str = "
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: 'http://127.0.0.1:9'}}
- {name: kind-two, cluster: {server: 'http://127.0.0.1:9'}}
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}}}]
contexts:
- {name: prod, context: {cluster: prod, user: u}}
- {name: kind-two, context: {cluster: kind-two, user: u, namespace: other}}
";

/// Prints which context and namespace a program would use.
const WHERE: &str = r#"#!/bin/sh
echo "$1: $(sed -n 's/^current-context: //p' "$KUBECONFIG") $(sed -n 's/^ *namespace: //p' "$KUBECONFIG")"
"#;

const FLAGS: [&str; 4] = ["--context", "kind-two", "--namespace", "mine"];

/// Returns a folder with these files, with programs that tell where they would go.
fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(&[("kubeconfig", TWO_CONTEXTS), ("where", WHERE)]);
    let renders = "#!/bin/sh\n./where $(basename $0) >>places\ncase \"$*\" in version*) echo v3.1.0;; \
        *) echo '{kind: ConfigMap, apiVersion: v1, metadata: {name: x}}';; esac\n";
    let git = "#!/bin/sh\nPWD_OF=$(dirname $0)\n$PWD_OF/where git >>$PWD_OF/places\nexit 1\n";
    let plugin = "#!/bin/sh\nat=$(dirname $0)\n$at/where plugin >>$at/places\necho '{\"apiVersion\": \
        \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \"status\": {\"token\": \"t\"}}'\n";
    let programs = [
        ("helm", renders),
        ("kustomize", renders),
        ("git", git),
        ("plugin", plugin),
    ];
    for (path, content) in programs.iter().chain(files) {
        std::fs::write(folder.path(path), content).expect("a file");
    }
    for program in ["where", "helm", "kustomize", "git", "plugin"] {
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(program), executable).expect("a mode");
    }
    folder
}

/// Returns the environment: the folder's own programs come first.
fn env(folder: &Folder) -> Vec<(&'static str, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    vec![
        ("KUBECONFIG", "kubeconfig".to_owned()),
        ("PATH", format!("{}:{path}", folder.path("").display())),
    ]
}

fn run(folder: &Folder, command: &[&str], status: i32) -> String {
    let env = env(folder);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ran = folder.tilt(&[command, &FLAGS].concat(), &env);
    ran.status(status);
    format!("{}\n{}", ran.stdout(), ran.stderr())
}

fn places(folder: &Folder) -> Vec<String> {
    let told = std::fs::read_to_string(folder.path("places")).unwrap_or_default();
    told.lines().map(str::to_owned).collect()
}

const TILTFILE: &str = "
local('./where local >>places')
local('./where override >>places', env={'KUBECONFIG': 'kubeconfig'})
os.putenv('KUBECONFIG', 'elsewhere')
local('./where putenv >>places')
helm('chart')
kustomize('overlay')
print('the Tiltfile sees ' + os.environ['KUBECONFIG'])
local_resource('update', './where update >>places')
local_resource('serve', serve_cmd='./where serve >>places; exec sleep 100', resource_deps=['update'],
    readiness_probe=probe(period_secs=1, exec=exec_action(['sh', '-c', './where probe >>places; grep -q serve places'])))
";

fn with_charts(tiltfile: &str) -> Folder {
    let folder = folder(&[("Tiltfile", tiltfile)]);
    for (dir, file, text) in [
        ("chart", "Chart.yaml", "name: x\n"),
        ("overlay", "kustomization.yaml", "resources: []\n"),
    ] {
        std::fs::create_dir(folder.path(dir)).expect("a folder");
        std::fs::write(folder.path(&format!("{dir}/{file}")), text).expect("a file");
    }
    folder
}

#[test]
fn commands_reach_the_cluster_that_was_typed_and_not_the_current_one() {
    let loaded = ["local", "putenv", "helm", "kustomize"];
    for (command, started) in [
        (&["ci"][..], &["update", "serve", "probe"][..]),
        (&["down"], &[]),
        (&["alpha", "tiltfile-result"], &[]),
    ] {
        let folder = with_charts(TILTFILE);
        let command = command.to_vec();
        run(&folder, &command, 0);
        let told = places(&folder);
        for name in loaded.iter().chain(started) {
            let expected = format!("{name}: kind-two mine");
            assert!(told.contains(&expected), "{command:?} {name}\n{told:#?}");
        }
        // What a command is given for itself wins.
        assert!(told.contains(&"override: prod ".to_owned()), "{told:#?}");
        let elsewhere = told.iter().filter(|line| !line.ends_with(": kind-two mine"));
        assert_eq!(elsewhere.count(), 1, "{told:#?}");
    }
}

#[test]
fn each_later_load_reaches_the_same_cluster() {
    let folder = folder(&[(
        "Tiltfile",
        "print(str(local('./where first')))\nlocal_resource('a', 'true')\n",
    )]);
    let env = env(&folder);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut up = Up::start_with(&folder, &[&["up", "--stream"][..], &FLAGS].concat(), &env);
    up.wait_for("first: kind-two mine");
    std::fs::write(
        folder.path("Tiltfile"),
        "print(str(local('./where second')))\nlocal_resource('a', './where third')\n",
    )
    .expect("a file");
    up.wait_for("second: kind-two mine");
    up.wait_for("third: kind-two mine");
    up.stop();
}

#[test]
fn git_and_plugins_for_logins_get_the_kubeconfig_of_the_session_too() {
    let folder = folder(&[("Tiltfile", "load('ext://x', 'x')\n")]);
    run(&folder, &["ci"], 1);
    assert_eq!(
        places(&folder).first().map(String::as_str),
        Some("git: kind-two mine")
    );

    let folder = self::folder(&[(
        "Tiltfile",
        "k8s_yaml(blob('{kind: ConfigMap, apiVersion: v1, metadata: {name: x}}'))\n",
    )]);
    run(&folder, &["ci"], 1);
    assert_eq!(
        places(&folder).first().map(String::as_str),
        Some("plugin: kind-two mine")
    );
}

#[test]
fn where_the_kubeconfig_cannot_be_understood_no_command_reaches_any_cluster() {
    let folder = folder(&[("Tiltfile", "local_resource('a', 'echo \"config $KUBECONFIG\"')\n")]);
    std::fs::write(folder.path("kubeconfig"), "a: b: c").expect("a file");
    let env = [("KUBECONFIG", "kubeconfig")];
    let ran = folder.tilt(&["ci"], &env);
    ran.status(0);
    assert!(ran.stdout().contains("config /dev/null"), "{}", ran.stdout());
}

#[test]
fn a_project_of_local_resources_needs_no_kubeconfig() {
    let gone = TWO_CONTEXTS.replace("current-context: prod", "current-context: gone");
    let twice = format!("{TWO_CONTEXTS}current-context: prod\n");
    let no_cluster = TWO_CONTEXTS.replace("{cluster: prod,", "{cluster: missing,");
    for (name, config) in [
        ("gone", gone.as_str()),
        ("no YAML", "a: b: c"),
        ("a key twice", twice.as_str()),
        ("no cluster", no_cluster.as_str()),
        ("empty", ""),
        ("nobody answers", TWO_CONTEXTS),
    ] {
        let folder = folder(&[("Tiltfile", "local_resource('a', 'echo it runs')\n")]);
        std::fs::write(folder.path("kubeconfig"), config).expect("a file");
        let ran = folder.tilt(&["ci"], &[("KUBECONFIG", "kubeconfig")]);
        ran.status(0);
        assert!(
            !ran.stdout().to_lowercase().contains("cluster"),
            "{name}\n{}",
            ran.stdout()
        );
    }
    let folder = folder(&[("Tiltfile", "local_resource('a', 'echo it runs')\n")]);
    for config in ["missing", "."] {
        let ran = folder.tilt(&["ci"], &[("KUBECONFIG", config)]);
        ran.status(0);
        assert!(
            !ran.stdout().to_lowercase().contains("cluster"),
            "{config}\n{}",
            ran.stdout()
        );
    }
}

#[test]
fn what_is_wrong_with_the_kubeconfig_is_told_once_a_resource_needs_the_cluster() {
    let tiltfile = "k8s_yaml(blob('{kind: ConfigMap, apiVersion: v1, metadata: {name: x}}'))\n";
    let no_cluster = TWO_CONTEXTS.replace("{cluster: prod,", "{cluster: missing,");
    let gone = TWO_CONTEXTS.replace("current-context: prod", "current-context: gone");
    for (config, expected) in [
        (
            no_cluster.as_str(),
            "the kubeconfig has no cluster \"missing\", which its context \"prod\" names",
        ),
        (gone.as_str(), "context was not found for specified context: gone"),
        ("a: b: c", "loading kubeconfig kubeconfig: "),
    ] {
        for command in ["ci", "down"] {
            let folder = folder(&[("Tiltfile", tiltfile)]);
            std::fs::write(folder.path("kubeconfig"), config).expect("a file");
            let ran = folder.tilt(&[command], &[("KUBECONFIG", "kubeconfig")]);
            ran.status(1);
            assert!(
                ran.stderr().contains(expected),
                "{command}\n{}\n{}",
                ran.stdout(),
                ran.stderr()
            );
        }
    }
}
