//! Traces, for who looks for a fault in this program: what they tell, and what they hide.

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
    let args = ["ci", "--output-snapshot-on-exit=snapshot"];
    let ran = folder.tilt(&args, &[("KUBECONFIG", "none"), ("TILT_LOG", "tilt=trace")]);
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

#[test]
fn debug_leaves_out_what_the_engine_is_told_and_asks_for() {
    let tiltfile = "local_resource('web', 'true')\nlocal_resource('idle', 'true')\n";
    let folder = Folder::new(&[("Tiltfile", tiltfile)]);
    let ran = folder.tilt(&["ci", "--debug", "web"], &[("KUBECONFIG", "none")]);
    let (log, traces) = (ran.status(0).stdout(), ran.stderr());
    assert!(!traces.contains("idle"), "{traces}");
    assert!(!log.contains("event=") && !log.contains("effect="), "{log}");
}
