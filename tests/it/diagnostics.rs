//! What a user sees when something is wrong: Tilt's own lines, then place, caret and hint.

use insta::assert_snapshot;
use tilt::k8s::Product;
use tilt::tiltfile::MemoryHost;

use crate::support::{deployment, errors, load_with, object, request, warnings};

fn with_yaml(tiltfile: &str, yaml: &str) -> String {
    format!("--- Tiltfile\n{tiltfile}\n--- app.yaml\n{yaml}\n--- Dockerfile\nFROM scratch\n")
}

#[test]
fn syntax_error() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('a.yaml'\nprint('x')\n"), @"");
}

#[test]
fn unknown_name() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(yaml_of_mine)\n"), @"");
}

#[test]
fn unknown_name_that_is_nearly_one_of_the_files_own() {
    assert_snapshot!(errors("--- Tiltfile\nservices = []\ndef f():\n  return serivces\n"), @"");
}

#[test]
fn unknown_name_that_is_nearly_a_builtin() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yml('a.yaml')\n"), @"");
}

#[test]
fn failure_in_a_function() {
    let files = "--- Tiltfile\ndef check(day):\n    if day != 'friday':\n        fail('closed on ' + day)\ncheck('monday')\n";
    assert_snapshot!(errors(files), @"");
}

#[test]
fn failure_in_an_included_file() {
    let files = "--- Tiltfile\nload('lib.star', 'run')\ndef go():\n  run('part')\ngo()\n--- lib.star\ndef run(name):\n  \
                 include(name)\n--- part\nk8s_yaml('absent.yaml')\n";
    assert_snapshot!(errors(files), @"");
}

#[test]
fn syntax_error_in_a_loaded_file() {
    assert_snapshot!(errors("--- Tiltfile\nload('./lib', 'x')\n--- lib\nx = = 1\n"), @"");
}

#[test]
fn files_that_load_each_other() {
    assert_snapshot!(errors("--- Tiltfile\nload('a', 'x')\n--- a\nload('Tiltfile', 'y')\n"), @"");
}

#[test]
fn names_that_cannot_be_loaded() {
    assert_snapshot!(errors("--- Tiltfile\nload('lib', 'tottal')\n--- lib\ntotal = 1\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nload('lib', '_x')\n--- lib\n_x = 1\n"), @"");
}

#[test]
fn wrong_type_of_an_argument() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_resource('web',\n             pod_readiness=True)\n"), @"");
}

#[test]
fn missing_files() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('absent.yaml')\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\ndocker_build('a', 'web')\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nload('./nowhere.star', 'x')\n"), @"");
}

#[test]
fn yaml_text_in_place_of_a_path() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('a: 1\\nb: 2')\n"), @"");
}

#[test]
fn invalid_yaml_is_shown_where_it_is_invalid() {
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", "kind: A\napiVersion: v1\n---\nkind: B\n  x: 1")), @"");
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(blob('a: [1\\n'))\n"), @"");
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", "hello")), @"");
}

#[test]
fn empty_yaml() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(None)\n"), @"");
}

#[test]
fn the_same_object_twice() {
    let yaml = object("Secret", "key");
    assert_snapshot!(errors(&with_yaml("def f():\n  k8s_yaml('app.yaml')\nf()\nk8s_yaml(read_file('app.yaml'))", &yaml)), @"");
}

#[test]
fn context_that_is_not_allowed() {
    let host = MemoryHost::new(&with_yaml("k8s_yaml('app.yaml')", &deployment("a", "x")));
    let mut request = request();
    request.kube.name = "prod".to_owned();
    request.kube.product = Product::Gke;
    let (load, _) = load_with(&request, &host);
    assert_snapshot!(load.error_text().unwrap_or_default(), @"");
    let allowed = with_yaml(
        "allow_k8s_contexts('prod')\nk8s_yaml('app.yaml')",
        &deployment("a", "x"),
    );
    let (load, _) = load_with(&request, &MemoryHost::new(&allowed));
    assert_eq!(load.error_text(), None);
    request.is_main = false;
    assert_eq!(load_with(&request, &host).0.error_text(), None);
}

#[test]
fn image_that_no_workload_uses() {
    let tiltfile = "docker_build('shop/wbe', '.')\nk8s_yaml('app.yaml')";
    assert_snapshot!(warnings(&with_yaml(tiltfile, &deployment("web", "shop/web"))), @"");
}

#[test]
fn images_with_nothing_to_deploy() {
    let mut request = request();
    request.subcommand = "down";
    let host = MemoryHost::new("--- Tiltfile\ndocker_build('a', '.', dockerfile_contents='FROM b')\n");
    let (_, log) = load_with(&request, &host);
    assert_snapshot!(log, @"");
}

#[test]
fn images_built_on_each_other() {
    let tiltfile = "docker_build('a', '.', dockerfile_contents='FROM b')\n\
                    docker_build('b', '.', dockerfile_contents='FROM a')\nk8s_yaml('app.yaml')";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("web", "a"))), @"");
}

#[test]
fn image_declared_twice() {
    assert_snapshot!(errors("--- Tiltfile\ndocker_build('a', '.', dockerfile_contents='FROM x')\ndocker_build('a', '.', dockerfile_contents='')\n"), @"");
}

#[test]
fn invalid_image_in_an_object() {
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", &deployment("web", "'${IMAGE}'"))), @"");
}

#[test]
fn resources_that_wait_for_each_other() {
    let yaml = [deployment("a", "x"), deployment("b", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('a', resource_deps=['b'])\nk8s_resource('b', resource_deps=['a'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @"");
}

#[test]
fn resource_that_waits_for_itself() {
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('a', resource_deps=['a'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("a", "x"))), @"");
}

#[test]
fn unknown_dependency() {
    let yaml = [deployment("web", "x"), deployment("database", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('web', resource_deps=['databse'])";
    assert_snapshot!(warnings(&with_yaml(tiltfile, &yaml)), @"");
}

#[test]
fn unknown_resource() {
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('databse',\n             labels='x')";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("database", "x"))), @"");
}

#[test]
fn name_that_is_taken() {
    let yaml = [
        deployment("tabby", "x"),
        deployment("ginger", "x"),
        object("Secret", "s"),
    ]
    .concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('ginger', new_name='tabby')\nk8s_resource(new_name='tabby', objects=['s'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @"");
}

#[test]
fn two_workloads_that_would_make_one_resource() {
    let bare = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: web}\nspec: {template: {spec: {containers: []}}}\n";
    let yaml = format!("{}{bare}", deployment("web", "x"));
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", &yaml)), @"");
}

#[test]
fn selectors_of_objects() {
    let yaml = [
        deployment("tide", "x"),
        object("Secret", "tide"),
        object("ConfigMap", "moonlight"),
    ]
    .concat();
    for_each_selector(&yaml);
}

fn for_each_selector(yaml: &str) {
    let with = |selector: &str| {
        let tiltfile = format!("k8s_yaml('app.yaml')\nk8s_resource('tide', objects=['{selector}'])");
        errors(&with_yaml(&tiltfile, yaml))
    };
    assert_snapshot!(with("tide"), @"");
    assert_snapshot!(with("moon"), @"");
    assert_snapshot!(with("tide:deployment"), @"");
    assert_snapshot!(with("a:b:c:d"), @"");
}

#[test]
fn entities_that_mean_no_workload_or_several() {
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: vigoda}\n";
    let yaml = format!("{}{job}", deployment("vigoda", "x"));
    let with = |arguments: &str| {
        errors(&with_yaml(
            &format!("k8s_yaml('app.yaml')\nk8s_resource({arguments})"),
            &yaml,
        ))
    };
    assert_snapshot!(with("entity='vigoda'"), @"");
    assert_snapshot!(with("entity='vigodo'"), @"");
    assert_snapshot!(with("name='vigoda:cronjob', entity='vigoda'"), @"");
}

#[test]
fn builtins_that_are_not_there_yet() {
    assert_snapshot!(errors("--- Tiltfile\nx = helm('chart', name='x')\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nx = config.parse()\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nx = os.environ['A']\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nk8s_resource('a', port_forwards=8000)\n"), @"");
    assert_snapshot!(errors("--- Tiltfile\nload('ext://namespace', 'x')\n"), @"");
}

#[test]
fn nothing_declared() {
    assert_snapshot!(errors("--- Tiltfile\n"), @"");
}

#[test]
fn independent_faults_are_told_together() {
    let yaml = [deployment("a", "x"), deployment("b", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('c')\nk8s_resource('a', new_name='b')\n\
                    k8s_resource('b', resource_deps=['b'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @"");
}
