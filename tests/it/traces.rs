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
    let ran = folder.tilt(&["ci", "--debug"], &[("KUBECONFIG", "none")]);
    let traces = ran.status(1).stderr();
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
    }
}
