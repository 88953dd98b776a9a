//! `--debug`: what it tells, and what it hides.

use crate::commands::Folder;

const SECRET: &str = "apiVersion: v1
kind: Secret
metadata: {name: cave}
stringData:
  plain: open-sesame-42
  odd: \"say \\\"friend\\\"\\nand enter\"
";

#[test]
fn traces_tell_events_and_effects_but_no_secrets() {
    let tiltfile = "k8s_yaml('secret.yaml')\n\
                    local_resource('leak', 'echo open-sesame-42; exit 1', env={'ODD': 'say \"friend\"\\nand enter'})\n";
    let folder = Folder::new(&[("Tiltfile", tiltfile), ("secret.yaml", SECRET)]);
    let args = ["ci", "--debug", "--output-snapshot-on-exit=snapshot"];
    let ran = folder.tilt(&args, &[("KUBECONFIG", "none")]);
    let traces = ran.status(1).stderr();
    let snapshot = std::fs::read_to_string(folder.path("snapshot")).expect("a file");
    for told in [
        "event=TiltfileLoaded",
        "effect=StartUpdate",
        "[redacted secret cave:plain]",
        "[redacted secret cave:odd]",
    ] {
        assert!(traces.contains(told), "{told} in {traces}");
    }
    for secret in ["open-sesame-42", "b3Blbi1zZXNhbWUtNDI=", "friend", "and enter"] {
        assert!(!traces.contains(secret), "{secret} in {traces}");
        assert!(!snapshot.contains(secret), "{secret} in {snapshot}");
    }
}
