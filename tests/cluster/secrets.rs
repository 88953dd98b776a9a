//! Values of Secrets stand in no log: not on the terminal, not on disk, wherever they were printed.

use std::path::Path;

use crate::support::Project;

const VAULT: &str = r#"
--- Tiltfile
allow_k8s_contexts('dev')
local('echo making open-sesame-42')
docker_build('vault', '.', build_args={'WORD': 'open-sesame-42'})
k8s_yaml(['secret.yaml', 'vault.yaml'])
local_resource('leak', resource_deps=['vault'],
               cmd='printf open-ses; sleep 0.2; echo "ame-42 in two parts"; printf open-sesame-42 | base64')
local_resource('fails', 'echo open-sesame-42 >&2; exit 1', resource_deps=['leak'])
--- Dockerfile
FROM localhost:5000/busybox:1
ARG WORD
RUN echo built with $WORD
--- secret.yaml
apiVersion: v1
kind: Secret
metadata: {name: cave}
stringData: {password: open-sesame-42}
--- vault.yaml
apiVersion: v1
kind: Pod
metadata: {name: vault}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: vault
    image: vault
    command: [sh, -c, 'echo saying $WORD aloud; exec sleep 1000']
    env: [{name: WORD, valueFrom: {secretKeyRef: {name: cave, key: password}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: thief}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: thief, image: 'localhost:5000/open-sesame-42:1'}
"#;

const HIDDEN: &str = "[redacted secret cave:password]";

#[test]
fn a_secret_is_hidden_in_builds_pods_commands_and_events_also_after_it_left_the_tiltfile() {
    let project = Project::new("secrets", VAULT);
    let mut up = project.up();
    up.wait_for_all(&[
        ("        vault │ ", &format!("built with {HIDDEN}")),
        ("        vault │ ", &format!("saying {HIDDEN} aloud")),
        (
            "        thief │ [event: pod ",
            &format!("localhost:5000/{HIDDEN}:1"),
        ),
        ("         leak │ ", &format!("{HIDDEN} in two parts")),
        ("         leak │ ", HIDDEN),
        ("        fails │ ", HIDDEN),
    ]);
    project.write(
        "Tiltfile",
        "allow_k8s_contexts('dev')\nlocal_resource('late', 'echo remembering open-sesame-42')\n",
    );
    up.wait_for(&format!("remembering {HIDDEN}"));
    up.stop("INT");
    let log = everything_below(&project.dir().join("../home/.local/state/tilt"));
    assert!(log.contains(HIDDEN), "the log is on disk");
    for secret in ["open-sesame-42", "b3Blbi1zZXNhbWUtNDI="] {
        let at = log.find(secret);
        let around = at.map(|at| {
            log[at.saturating_sub(200)..]
                .chars()
                .take(300)
                .collect::<String>()
        });
        assert_eq!(around, None, "{secret} is on disk");
    }
}

#[test]
fn whoever_wants_to_see_secrets_sees_them() {
    let project = Project::new(
        "seen",
        "
--- Tiltfile
allow_k8s_contexts('dev')
secret_settings(disable_scrub=True)
k8s_yaml('secret.yaml')
local_resource('leak', 'echo the word is open-sesame-42')
--- secret.yaml
apiVersion: v1
kind: Secret
metadata: {name: cave}
stringData: {password: open-sesame-42}
",
    );
    let ci = project.tilt(&["ci"]);
    assert!(ci.text.contains("the word is open-sesame-42"), "{}", ci.text);
}

fn everything_below(dir: &Path) -> String {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.path() {
            path if path.is_dir() => everything_below(&path),
            path => String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned(),
        })
        .collect()
}
