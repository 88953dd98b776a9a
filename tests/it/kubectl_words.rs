//! Commands about objects where they are used wrongly, in old ways, or for several objects at once: kubectl's words.

use crate::sessions::Session;

const MAP: &str = "apiVersion: tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: \"1\"}\n";

const TWO: &str = "apiVersion: tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: n}\n---\napiVersion: \
                   tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: o}\n";

fn session() -> Session {
    Session::start(&[
        ("Tiltfile", "local_resource('web', 'true')\n"),
        ("m.yaml", MAP),
        ("two.yaml", TWO),
    ])
}

#[test]
fn values_of_flags_that_there_are_not_are_refused() {
    let session = session();
    let apply = ["apply", "-f", "m.yaml"];
    let delete = ["delete", "cm", "m"];
    let patch = ["patch", "cm", "m", "-p", "{}"];
    for (args, flag, expected) in [
        (
            &apply[..],
            "--validate=x",
            "error: invalid - validate option \"x\"; must be one of: strict (or true), warn, ignore (or false)",
        ),
        (
            &apply,
            "--dry-run=x",
            "error: Invalid dry-run value (x). Must be \"none\", \"server\", or \"client\".",
        ),
        (
            &apply,
            "--subresource=status",
            "error: --subresource can only be specified for --server-side",
        ),
        (
            &patch,
            "--type=x",
            "error: --type must be one of [json merge strategic], not \"x\"",
        ),
        (
            &delete,
            "--cascade=x",
            "error: invalid cascade value (x). Must be \"background\", \"foreground\", or \"orphan\"",
        ),
        (
            &delete,
            "-oyaml",
            "error: unexpected -o output mode: yaml. We only support '-o name'",
        ),
    ] {
        let refused = session.tilt(&[args, &[flag]].concat());
        assert_eq!(refused.status(1).stderr(), expected, "{flag}");
    }
    session.ok(&["create", "-f", "m.yaml", "--validate=1"]);
    let old = session.tilt(&["delete", "cm", "m", "--dry-run=true"]);
    assert_eq!(
        old.stderr(),
        "Warning: --dry-run=true is deprecated (boolean value) and can be replaced with --dry-run=client."
    );
    assert_eq!(
        old.status(0).stdout(),
        "configmap.tilt.dev \"m\" deleted (dry run)"
    );
}

#[test]
fn an_object_that_was_not_applied_before_is_applied_with_a_warning() {
    let session = session();
    session.ok(&["create", "-f", "m.yaml"]);
    let first = session.tilt(&["apply", "-f", "m.yaml"]);
    assert_eq!(
        first.stderr(),
        "Warning: resource configmaps/m is missing the kubectl.kubernetes.io/last-applied-configuration annotation which \
         is required by tilt apply. tilt apply should only be used on resources created declaratively by either tilt \
         create --save-config or tilt apply. The missing annotation will be patched automatically."
    );
    assert_eq!(first.status(0).stdout(), "configmap.tilt.dev/m configured");
    let second = session.tilt(&["apply", "-f", "m.yaml"]);
    assert_eq!(second.stderr(), "");
    assert_eq!(second.status(0).stdout(), "configmap.tilt.dev/m unchanged");
}

#[test]
fn what_cannot_be_deleted_is_told_of_each_with_its_file() {
    let session = session();
    let missing = session.tilt(&["delete", "-f", "two.yaml"]);
    let told = |name: &str| {
        format!(
            "Error from server (NotFound): error when deleting \"two.yaml\": configmaps.tilt.dev {name:?} not found"
        )
    };
    assert_eq!(
        missing.status(1).stderr(),
        format!("{}\n{}", told("n"), told("o"))
    );
    let named = session.tilt(&["delete", "cm", "n", "o"]);
    let told = "Error from server (NotFound): configmaps.tilt.dev \"n\" not found\nError from server (NotFound): \
                configmaps.tilt.dev \"o\" not found";
    assert_eq!(named.status(1).stderr(), told);
}

#[test]
fn objects_of_a_kind_are_edited_in_one_text() {
    let session = session();
    session.ok(&["create", "-f", "m.yaml"]);
    session.ok(&["create", "-f", "two.yaml"]);
    let edit = |words: &[&str], editor: &str| {
        let all = [&["edit"][..], words].concat();
        session.folder.tilt(&all, &[("KUBE_EDITOR", editor)])
    };
    let all = edit(&["cm"], "sed -i 's/a: .*/a: two/'").status(0).stdout();
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(
        lines,
        [
            "configmap.tilt.dev/m edited",
            "configmap.tilt.dev/n skipped",
            "configmap.tilt.dev/o skipped",
            "configmap.tilt.dev/tilt-trigger-queue skipped",
            "configmap.tilt.dev/web-disable skipped"
        ]
    );
    let value = ["get", "cm", "m", "-o", "jsonpath={.data.a}"];
    assert_eq!(session.ok(&value), "two");
    let none = edit(&["extensionrepos"], "true");
    assert_eq!(none.status(1).stderr(), "error: edit cancelled, no objects found");
    let empty = edit(&["cm", "m"], "truncate -s0");
    assert_eq!(empty.status(0).stderr(), "Edit cancelled, saved file was empty.");
}

#[test]
fn a_text_with_a_fault_is_opened_again_with_the_fault_on_top() {
    let session = session();
    session.ok(&["create", "-f", "m.yaml"]);
    // What the first call breaks the second one mends, if it is told what is wrong.
    let editor = |break_it: &str, told: &str, mend_it: &str| {
        let script = format!(
            "if grep -q '^# .*{told}' \"$1\"; then sed -i '{mend_it}' \"$1\"; else sed -i '{break_it}' \"$1\"; fi\n"
        );
        std::fs::write(session.folder.path("editor.sh"), script).expect("a file");
        let args = ["edit", "cm", "m", "--validate=strict"];
        session.folder.tilt(&args, &[("KUBE_EDITOR", "sh editor.sh")])
    };
    let value = ["get", "cm", "m", "-o", "jsonpath={.data.a}"];
    let no_yaml = editor(
        "s/a: .*/a: [two/",
        "The edited file had a syntax error",
        "s/a: .*/a: two/",
    );
    assert_eq!(no_yaml.status(0).stdout(), "configmap.tilt.dev/m edited");
    assert!(
        no_yaml
            .stderr()
            .starts_with("error: The edited file had a syntax error: ")
    );
    assert_eq!(session.ok(&value), "two");
    let unknown = editor(
        "s/^data:/dota:/",
        "unknown field \"dota\"",
        "s/^dota:/data:/;s/a: .*/a: three/",
    );
    assert_eq!(unknown.status(0).stdout(), "configmap.tilt.dev/m edited");
    assert_eq!(session.ok(&value), "three");

    let stays = editor("s/^data:/dota:/", "unknown field", "");
    let error = stays.status(1).stderr();
    let path = error.split('"').rev().nth(1).expect("a path");
    let kept = std::fs::read_to_string(path).expect("the text");
    assert!(kept.contains("\ndota:") && kept.contains("\n# "), "{kept}");
    std::fs::remove_file(path).expect("it is ours");
    let end = "error: Edit cancelled, no valid changes were saved.";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn several_objects_are_printed_as_kubectl_prints_them() {
    let session = session();
    let kinds = |text: &str| text.lines().filter(|line| line.starts_with("kind: ")).count();
    let created = session.ok(&["create", "-f", "two.yaml", "-o", "yaml"]);
    assert_eq!((kinds(&created), created.matches("\n---\n").count()), (2, 1));
    let applied = session.ok(&["apply", "-f", "two.yaml", "-o", "yaml"]);
    assert!(applied.contains("\nkind: List\n"), "{applied}");
    assert_eq!(kinds(&applied), 1);
    let waited = session.ok(&["wait", "--for=condition=Ready", "uiresource/web", "-o", "json"]);
    let object: serde_json::Value = serde_json::from_str(&waited).expect("one object");
    assert_eq!(object["metadata"]["name"], "web");
    let quoted = ["wait", "--for=jsonpath={.metadata.name}=\"n\"", "cm/n"];
    assert_eq!(session.ok(&quoted), "configmap.tilt.dev/n condition met");
}
