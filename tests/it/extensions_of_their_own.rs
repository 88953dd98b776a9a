//! Extensions that are registered and not loaded: they run on their own.

use tilt::tiltfile::MemoryHost;

use crate::support::{load_with, request};

const PROJECT: &str = "
--- Tiltfile
v1alpha1.extension_repo(name='mine', url='file:///exts')
v1alpha1.extension(name='one', repo_name='mine', repo_path='deep/one', args=['--who=world'])
local_resource('a', 'true')
--- /exts/deep/one/Tiltfile
config.define_string('who')
print('hello ' + config.parse()['who'] + ' from ' + config.main_dir)
local_resource('of-one', 'true')
local_resource('other', str(read_file('cmd.txt')))
--- /exts/deep/one/cmd.txt
echo hi
";

fn load(files: &str) -> (tilt::tiltfile::Load, String) {
    load_with(&request(), &MemoryHost::new(files))
}

#[test]
fn an_extension_runs_with_its_arguments_and_its_resources_join() {
    let (load, log) = load(PROJECT);
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("a good load");
    let shown: Vec<String> = manifests
        .iter()
        .map(|manifest| format!("{} {:?}", manifest.name, manifest.labels))
        .collect();
    assert_eq!(
        shown,
        ["a {}", "of-one {\"extension.one\"}", "other {\"extension.one\"}"]
    );
    assert_eq!(load.enabled.len(), 3);
    assert!(log.contains("hello world from /exts/deep/one"), "{log}");
    let files: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert!(files.contains(&"/exts/deep/one/cmd.txt".to_owned()), "{files:?}");
    assert!(files.contains(&"/exts/deep/one/Tiltfile".to_owned()), "{files:?}");
}

#[test]
fn a_project_may_consist_of_extensions_alone() {
    let (load, _) = load(&PROJECT.replace("local_resource('a', 'true')", ""));
    assert_eq!(load.error_text(), None);
    assert_eq!(load.manifests.map(|manifests| manifests.len()), Some(2));
}

#[test]
fn naming_a_resource_leaves_extensions_on() {
    let mut request = request();
    request.args = vec!["a".to_owned()];
    let (load, _) = load_with(&request, &MemoryHost::new(PROJECT));
    assert_eq!(load.error_text(), None);
    assert_eq!(load.enabled.len(), 3);
}

#[test]
fn one_that_was_loaded_does_not_run_again() {
    let (load, log) = load(&PROJECT.replace(
        "local_resource('a', 'true')",
        "config.define_string('who')\ninclude('ext://one')",
    ));
    assert_eq!(log.matches("hello").count(), 0, "{log}");
    assert!(
        load.error_text()
            .is_some_and(|text| text.contains("config.define_string")),
        "{:?}",
        load.error_text()
    );
}

#[test]
fn what_cannot_be_run_fails_the_load() {
    let changed = |from: &str, to: &str| {
        let (load, _) = load(&PROJECT.replace(from, to));
        assert!(load.manifests.is_none());
        load.error_text().expect("a fault")
    };
    insta::assert_snapshot!(changed("repo_name='mine'", "repo_name='mien'"), @r#"
    loading extension one: extension repo not found: mien
    hint: did you mean "mine"?
    "#);
    insta::assert_snapshot!(changed("repo_name='mine'", "repo_name='elsewhere'"), @r"
    loading extension one: extension repo not found: elsewhere
    hint: register it: v1alpha1.extension_repo(name='elsewhere', url='https://...')
    ");
    insta::assert_snapshot!(changed("repo_path='deep/one'", "repo_path='deep/two'"), @"loading extension one: no extension tiltfile found at /exts/deep/two/Tiltfile");
    insta::assert_snapshot!(changed("url='file:///exts'", "url='file:///nowhere'"), @"loading extension repo mine: loading: stat /nowhere: no such file or directory");
    insta::assert_snapshot!(changed("local_resource('of-one'", "local_resource('a'"), @r#"
    extension "one" makes a resource named "a", and there is one of that name already
    hint: rename one of them: k8s_resource(..., new_name=...), or the name of the local_resource()
    "#);
    let fault = changed("config.parse()['who']", "nobody");
    assert!(fault.contains("/exts/deep/one/Tiltfile:2"), "{fault}");
}

#[test]
fn what_an_extension_deploys_needs_an_allowed_context_too() {
    let files = PROJECT.replace(
        "local_resource('of-one', 'true')",
        "k8s_yaml(blob('{kind: ConfigMap, apiVersion: v1, metadata: {name: x}}'))",
    );
    let mut request = request();
    request.kube.name = "prod".to_owned();
    request.kube.product = tilt::k8s::Product::Unknown;
    let (load, _) = load_with(&request, &MemoryHost::new(&files));
    assert!(
        load.error_text()
            .is_some_and(|text| text.contains("Stop! prod might be production"))
    );
    let allowed = files.replace("--- Tiltfile\n", "--- Tiltfile\nallow_k8s_contexts('prod')\n");
    let (load, _) = load_with(&request, &MemoryHost::new(&allowed));
    assert_eq!(load.error_text(), None);
}
