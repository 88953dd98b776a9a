//! What the project shows its users must load as it stands.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tilt::edge::evaluation::RealHost;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::LocalPath;
use tilt::tiltfile::{MemoryHost, Ran, load_on_big_stack};

use crate::commands::Folder;
use crate::support::{deployment, describe, load_with, printed, request};

#[test]
fn the_workflow_of_the_shop_runs_tilt_as_it_can_be_run() {
    let text = include_str!("../../examples/microservices/.github/workflows/tilt-ci.yaml");
    let workflow: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
    let steps = workflow["jobs"]["shop"]["steps"].as_array().expect("a list");
    let commands: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let ci = commands.iter().find_map(|run| run.strip_prefix("tilt ci "));
    let words = shlex::split(ci.expect("it runs tilt ci")).expect("words");
    let (flags, given) = words.split_at(
        words
            .iter()
            .position(|word| word == "--")
            .expect("arguments of the Tiltfile"),
    );
    // The shop's Tiltfile knows the arguments, and the reports have a directory.
    let tiltfile = include_str!("../../examples/microservices/Tiltfile");
    for argument in given
        .iter()
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|word| !word.is_empty())
    {
        let name = argument.split('=').next().unwrap_or_default();
        assert!(
            tiltfile.contains(&format!("config.define_string('{name}'")),
            "{name}"
        );
    }
    assert!(
        commands
            .iter()
            .any(|run| run.starts_with("mkdir -p \"$PROJECT/reports\"")),
        "{commands:?}"
    );
    // The command line is understood, on a project of its own.
    let folder = Folder::new(&[(
        "Tiltfile",
        "config.define_string('base_image')\nconfig.parse()\nlocal_resource('a', 'true')\n",
    )]);
    std::fs::create_dir(folder.path("reports")).expect("a folder");
    let args: Vec<&str> = ["ci"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    let summary = folder.path("summary.md").to_string_lossy().into_owned();
    let env = [("KUBECONFIG", "none"), ("GITHUB_STEP_SUMMARY", &*summary)];
    let ran = folder.tilt(&args, &env);
    assert_eq!(ran.status(0).stderr(), "", "{flags:?}");
    for written in [
        "reports/junit.xml",
        "reports/tilt.json",
        "reports/logs/a.log",
        "summary.md",
    ] {
        assert!(folder.path(written).exists(), "{written}");
    }
}

#[test]
fn the_annotated_tour_loads() {
    let tour = include_str!("../../Tiltfile.example");
    let workloads = [
        deployment("web", "shop/web"),
        deployment("worker", "shop/worker"),
        deployment("stock", "shop/stock"),
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nspec:\n  template:\n    spec:\n      \
         containers: [{name: c, image: busybox}]\n"
            .to_owned(),
    ];
    let files = format!(
        "--- Tiltfile\n{tour}\n--- shop/deploy.yaml\n{}\n--- shop/base/Dockerfile\nFROM scratch\n\
         --- shop/web/Dockerfile\nFROM shop/base\n--- shop/stock/Dockerfile\nFROM scratch\n--- shop/helpers.star\ndef shout(text):\n    return text.upper()\n\
         --- shop/extra.tiltfile\nprint('more')\n\
         --- shop/counter.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: counter}}\ndata: {{customers: '0'}}\n",
        workloads.concat()
    );
    let files = format!("{files}--- shop/compose.yml\nservices: {{mailbox: {{image: axllent/mailpit}}}}\n");
    let config =
        "docker compose --project-name shop --project-directory /src/shop -f /src/shop/compose.yml config";
    let answer = |stdout: &str| Ran {
        stdout: stdout.into(),
        ..Ran::default()
    };
    let mailbox = r#"{"services": {"mailbox": {"image": "axllent/mailpit", "ports": [{"target": 8025, "published": "8025"}]}}}"#;
    let host = MemoryHost::new(&files)
        .with_command(
            "docker compose version",
            answer("Docker Compose version v2.40.3\n"),
        )
        .with_command(&format!("{config} --format json"), answer(mailbox))
        .with_command(&format!("{config} --hash *"), answer("mailbox 0123\n"));
    let load = load_with(&request(), &host).0;
    assert_eq!(load.error_text(), None);
    let shown: Vec<String> = load.manifests.iter().flatten().map(describe).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    frontend: Deployment/web; images shop_base shop_web; wait; after migrate; labels shop
    worker: Deployment/worker; images shop_worker; ignore
    stock: Deployment/stock; images shop_stock; wait
    migrate: Job/migrate; succeeded
    settings: ConfigMap/opening-hours; ignore
    mailbox: shop/mailbox axllent/mailpit; http://localhost:8025/; http://localhost:8025/search
    lint: echo all is well / 
    mirror:  / while true; do sleep 60; done
    uncategorized: ConfigMap/counter; ignore
    "#);
}

#[test]
fn every_example_loads() {
    let examples = LocalPath::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(&examples).expect("examples").flatten() {
        if entry.file_name() == "compose" {
            // It needs `docker compose`: `tests/cluster/compose_load.rs` loads it.
            continue;
        }
        let mut request = request();
        request.file = LocalPath::new(entry.path()).join("Tiltfile");
        let log = LogWriter::global(LogStore::in_memory());
        let load = load_on_big_stack(
            &request,
            &RealHost::default(),
            &log,
            Arc::new(AtomicBool::new(false)),
        );
        assert_eq!(load.error_text(), None, "{}", request.file);
        assert!(load.warnings.is_empty(), "{}: {:?}", request.file, load.warnings);
    }
}

#[test]
fn the_name_of_a_developer_becomes_a_part_of_a_namespace() {
    let lib = include_str!("../../examples/microservices/tilt-resources/Tiltfile-lib");
    for (user, expected) in [("ann", "ann"), ("Ann.B", "ann-b"), ("_ann_", "ann")] {
        let files = format!(
            "--- Tiltfile\nos.putenv('USER', '{user}')\nload('./lib', 'person')\nprint('<' + person() + '>')\n--- lib\n{lib}"
        );
        let log = printed(&files);
        assert!(log.contains(&format!("<{expected}>")), "{log}");
    }
}
