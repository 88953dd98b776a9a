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
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('a.yaml'\nprint('x')\n"), @r"
    /src/Tiltfile:2:6: got identifier, want ','
      |
    2 | print('x')
      | ^^^^^
    ");
}

#[test]
fn unknown_name() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(yaml_of_mine)\n"), @r"
    /src/Tiltfile:1:10: undefined: yaml_of_mine
      |
    1 | k8s_yaml(yaml_of_mine)
      |          ^^^^^^^^^^^^
    ");
}

#[test]
fn unknown_name_that_is_nearly_one_of_the_files_own() {
    assert_snapshot!(errors("--- Tiltfile\nservices = []\ndef f():\n  return serivces\n"), @r"
    /src/Tiltfile:3:10: undefined: serivces (did you mean services?)
      |
    3 |   return serivces
      |          ^^^^^^^^
    ");
}

#[test]
fn unknown_name_that_is_nearly_a_builtin() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yml('a.yaml')\n"), @r"
    /src/Tiltfile:1:1: undefined: k8s_yml
      |
    1 | k8s_yml('a.yaml')
      | ^^^^^^^
    hint: did you mean the built-in k8s_yaml?
    ");
}

#[test]
fn failure_in_a_function() {
    let files = "--- Tiltfile\ndef check(day):\n    if day != 'friday':\n        fail('closed on ' + day)\ncheck('monday')\n";
    assert_snapshot!(errors(files), @r"
    Traceback (most recent call last):
      /src/Tiltfile:4:6: in <toplevel>
      /src/Tiltfile:3:13: in check
    Error in fail: closed on monday
      |
    3 |         fail('closed on ' + day)
      |         ^^^^
    ");
}

#[test]
fn failure_in_an_included_file() {
    let files = "--- Tiltfile\nload('lib.star', 'run')\ndef go():\n  run('part')\ngo()\n--- lib.star\ndef run(name):\n  \
                 include(name)\n--- part\nk8s_yaml('absent.yaml')\n";
    assert_snapshot!(errors(files), @r"
    Traceback (most recent call last):
      /src/Tiltfile:4:3: in <toplevel>
      /src/Tiltfile:3:6: in go
      /src/lib.star:2:10: in run
      <builtin>: in include
      /src/part:1:9: in <toplevel>
    Error in k8s_yaml: error reading yaml file: open /src/absent.yaml: no such file or directory
      |
    1 | k8s_yaml('absent.yaml')
      |          ^^^^^^^^^^^^^
    ");
}

#[test]
fn syntax_error_in_a_loaded_file() {
    assert_snapshot!(errors("--- Tiltfile\nload('./lib', 'x')\n--- lib\nx = = 1\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:1: in <toplevel>
    Error: cannot load ./lib: /src/lib:1:5: got '=', want primary expression
      |
    1 | x = = 1
      |     ^
    ");
}

#[test]
fn files_that_load_each_other() {
    assert_snapshot!(errors("--- Tiltfile\nload('a', 'x')\n--- a\nload('Tiltfile', 'y')\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:1: in <toplevel>
      /src/a:1:1: in <toplevel>
    Error: cannot load Tiltfile: Circular load: /src/Tiltfile
      |
    1 | load('Tiltfile', 'y')
      | ^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn names_that_cannot_be_loaded() {
    assert_snapshot!(errors("--- Tiltfile\nload('lib', 'tottal')\n--- lib\ntotal = 1\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error: load: name tottal not found in module lib (did you mean total?)
      |
    1 | load('lib', 'tottal')
      |             ^^^^^^^^
    ");
    assert_snapshot!(errors("--- Tiltfile\nload('lib', '_x')\n--- lib\n_x = 1\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error: load: names with leading underscores are not exported: _x
      |
    1 | load('lib', '_x')
      |             ^^^^
    ");
}

#[test]
fn wrong_type_of_an_argument() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_resource('web',\n             pod_readiness=True)\n"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error in k8s_resource: k8s_resource: for parameter "pod_readiness": Must be a string. Got: bool
     --> /src/Tiltfile:2:28
      |
    2 |              pod_readiness=True)
      |                            ^^^^
    "#);
}

#[test]
fn missing_files() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('absent.yaml')\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: error reading yaml file: open /src/absent.yaml: no such file or directory
      |
    1 | k8s_yaml('absent.yaml')
      |          ^^^^^^^^^^^^^
    ");
    assert_snapshot!(errors("--- Tiltfile\ndocker_build('a', 'web')\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error in docker_build: error reading dockerfile: open /src/web/Dockerfile: no such file or directory
      |
    1 | docker_build('a', 'web')
      |                   ^^^^^
    ");
    assert_snapshot!(errors("--- Tiltfile\nload('./nowhere.star', 'x')\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:1: in <toplevel>
    Error: cannot load ./nowhere.star: error reading file /src/nowhere.star: open /src/nowhere.star: no such file or directory
      |
    1 | load('./nowhere.star', 'x')
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn yaml_text_in_place_of_a_path() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml('a: 1\\nb: 2')\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: error reading yaml file: open /src/a: 1
    b: 2: no such file or directory
      |
    1 | k8s_yaml('a: 1\nb: 2')
      |          ^^^^^^^^^^^^
    hint: k8s_yaml() takes a path; wrap YAML text in blob()
    ");
}

#[test]
fn invalid_yaml_is_shown_where_it_is_invalid() {
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", "kind: A\napiVersion: v1\n---\nkind: B\n  x: 1")), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: /src/app.yaml is not a valid YAML file: error converting YAML to JSON: yaml: line 5: mapping values are not allowed in this context
     --> /src/app.yaml:5:4
      |
    5 |   x: 1
      |    ^
    ");
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(blob('a: [1\\n'))\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: Error reading yaml from Tiltfile blob() call: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'
     --> Tiltfile blob() call:1:5
      |
    1 | a: [1
      |     ^
    ");
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", "hello")), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: /src/app.yaml is not a valid YAML file: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }
     --> /src/app.yaml:1:1
      |
    1 | hello
      | ^^^^^
    "#);
}

#[test]
fn empty_yaml() {
    assert_snapshot!(errors("--- Tiltfile\nk8s_yaml(None)\n"), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: Empty YAML passed to k8s_yaml
      |
    1 | k8s_yaml(None)
      |          ^^^^
    ");
}

#[test]
fn the_same_object_twice() {
    let yaml = object("Secret", "key");
    assert_snapshot!(errors(&with_yaml("def f():\n  k8s_yaml('app.yaml')\nf()\nk8s_yaml(read_file('app.yaml'))", &yaml)), @r"
    Traceback (most recent call last):
      /src/Tiltfile:4:9: in <toplevel>
    Error in k8s_yaml: Duplicate YAML: Secret key
    Ignore this error with k8s_yaml(..., allow_duplicates=True)
    YAML originally registered at: Traceback (most recent call last):
      /src/Tiltfile:3:2: in <toplevel>
      /src/Tiltfile:2:11: in f
      <builtin>: in k8s_yaml
      |
    4 | k8s_yaml(read_file('app.yaml'))
      | ^^^^^^^^
    ");
}

#[test]
fn context_that_is_not_allowed() {
    let host = MemoryHost::new(&with_yaml("k8s_yaml('app.yaml')", &deployment("a", "x")));
    let mut request = request();
    request.kube.name = "prod".to_owned();
    request.kube.product = Product::Gke;
    let (load, _) = load_with(&request, &host);
    assert_snapshot!(load.error_text().unwrap_or_default(), @r"
    Stop! prod might be production.
    If you're sure you want to deploy there, add:
    	allow_k8s_contexts('prod')
    to your Tiltfile. Otherwise, switch k8s contexts and restart Tilt.
    ");
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
    assert_snapshot!(warnings(&with_yaml(tiltfile, &deployment("web", "shop/web"))), @r#"
    Image not used in any Kubernetes config:
        ✕ shop/wbe
    Did you mean…
        - shop/web
    Skipping this image build
    If this is deliberate, suppress this warning with: update_settings(suppress_unused_image_warnings=["shop/wbe"])
     --> /src/Tiltfile:1:14
      |
    1 | docker_build('shop/wbe', '.')
      |              ^^^^^^^^^^
    "#);
}

#[test]
fn images_with_nothing_to_deploy() {
    let mut request = request();
    request.subcommand = "down";
    let host = MemoryHost::new("--- Tiltfile\ndocker_build('a', '.', dockerfile_contents='FROM b')\n");
    let (_, log) = load_with(&request, &host);
    assert_snapshot!(log, @r"
    We could not find any deployment instructions, e.g. `k8s_yaml` or `docker_compose`.
    Skipping all image builds until we know how to deploy them.
     --> /src/Tiltfile:1:14
      |
    1 | docker_build('a', '.', dockerfile_contents='FROM b')
      |              ^^^
    ");
}

#[test]
fn images_built_on_each_other() {
    let tiltfile = "docker_build('a', '.', dockerfile_contents='FROM b')\n\
                    docker_build('b', '.', dockerfile_contents='FROM a')\nk8s_yaml('app.yaml')";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("web", "a"))), @r"
    getting image build info for web: Image dependency cycle: docker.io/library/a
     --> /src/Tiltfile:1:14
      |
    1 | docker_build('a', '.', dockerfile_contents='FROM b')
      |              ^^^
    ");
}

#[test]
fn image_declared_twice() {
    assert_snapshot!(errors("--- Tiltfile\ndocker_build('a', '.', dockerfile_contents='FROM x')\ndocker_build('a', '.', dockerfile_contents='')\n"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:2:13: in <toplevel>
    Error in docker_build: Image for ref "a" has already been defined
      |
    2 | docker_build('a', '.', dockerfile_contents='')
      |              ^^^
    hint: it was first defined at /src/Tiltfile:1:13
    "#);
}

#[test]
fn invalid_image_in_an_object() {
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", &deployment("web", "'${IMAGE}'"))), @r"
    finding images in web: parsing ${IMAGE}: invalid reference format
     --> /src/Tiltfile:1:1
      |
    1 | k8s_yaml('app.yaml')
      | ^^^^^^^^
    hint: the object is web:deployment:default:apps (/src/app.yaml:1)
    ");
}

#[test]
fn resources_that_wait_for_each_other() {
    let yaml = [deployment("a", "x"), deployment("b", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('a', resource_deps=['b'])\nk8s_resource('b', resource_deps=['a'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @r"
    cycle detected in resource dependency graph: a -> b -> a
     --> /src/Tiltfile:2:34
      |
    2 | k8s_resource('a', resource_deps=['b'])
      |                                  ^^^
    ");
}

#[test]
fn resource_that_waits_for_itself() {
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('a', resource_deps=['a'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("a", "x"))), @r"
    resource a specified a dependency on itself
     --> /src/Tiltfile:2:34
      |
    2 | k8s_resource('a', resource_deps=['a'])
      |                                  ^^^
    ");
}

#[test]
fn unknown_dependency() {
    let yaml = [deployment("web", "x"), deployment("database", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('web', resource_deps=['databse'])";
    assert_snapshot!(warnings(&with_yaml(tiltfile, &yaml)), @r#"
    resource web specified a dependency on unknown resource databse - dependency ignored
     --> /src/Tiltfile:2:36
      |
    2 | k8s_resource('web', resource_deps=['databse'])
      |                                    ^^^^^^^^^
    hint: did you mean "database"?
    "#);
}

#[test]
fn unknown_resource() {
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('databse',\n             labels='x')";
    assert_snapshot!(errors(&with_yaml(tiltfile, &deployment("database", "x"))), @r#"
    /src/Tiltfile:2:13: k8s_resource specified unknown resource "databse". known k8s resources: database
      |
    2 | k8s_resource('databse',
      |              ^^^^^^^^^
    hint: did you mean "database"?
    "#);
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
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @r#"
    /src/Tiltfile:2:13: k8s_resource specified to rename "ginger" to "tabby": k8s_resource named "tabby" already exists
      |
    2 | k8s_resource('ginger', new_name='tabby')
      |                                 ^^^^^^^

    k8s_resource named "tabby" already exists
     --> /src/Tiltfile:3:23
      |
    3 | k8s_resource(new_name='tabby', objects=['s'])
      |                       ^^^^^^^
    "#);
}

#[test]
fn two_workloads_that_would_make_one_resource() {
    let bare = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: web}\nspec: {template: {spec: {containers: []}}}\n";
    let yaml = format!("{}{bare}", deployment("web", "x"));
    assert_snapshot!(errors(&with_yaml("k8s_yaml('app.yaml')", &yaml)), @r#"
    error making resource for workload web:daemonset:default:apps: k8s_resource named "web" already exists
     --> /src/Tiltfile:1:1
      |
    1 | k8s_yaml('app.yaml')
      | ^^^^^^^^
    hint: two workloads cannot make one resource: web:deployment:default:apps (/src/app.yaml:1) and web:daemonset:default:apps (/src/app.yaml:9)
    "#);
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
    assert_snapshot!(with("tide"), @r#"
    "tide" is not a unique fragment. Objects that match "tide" are "tide:Deployment:default", "tide:Secret:default"
     --> /src/Tiltfile:2:31
      |
    2 | k8s_resource('tide', objects=['tide'])
      |                               ^^^^^^
    "#);
    assert_snapshot!(with("moon"), @r#"
    No object identified by the fragment "moon" could be found. Possible objects are: "tide:Deployment:default", "tide:Secret:default", "moonlight:ConfigMap:default"
     --> /src/Tiltfile:2:31
      |
    2 | k8s_resource('tide', objects=['moon'])
      |                               ^^^^^^
    "#);
    assert_snapshot!(with("tide:deployment"), @r#"
    No object identified by the fragment "tide:deployment" could be found in remaining YAML. Valid remaining fragments are: "tide:Secret:default", "moonlight:ConfigMap:default"
     --> /src/Tiltfile:2:31
      |
    2 | k8s_resource('tide', objects=['tide:deployment'])
      |                               ^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(with("a:b:c:d"), @r#"
    Error making selector from string "a:b:c:d": Too many parts in selector. Selectors must contain between 1 and 3 parts (colon separated), found 4 parts in a:b:c:d
     --> /src/Tiltfile:2:31
      |
    2 | k8s_resource('tide', objects=['a:b:c:d'])
      |                               ^^^^^^^^^
    "#);
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
    assert_snapshot!(with("entity='vigoda'"), @r#"
    /src/Tiltfile:2:13: k8s_resource: entity "vigoda" matches more than one workload: vigoda:deployment:default:apps, vigoda:cronjob:default:batch
      |
    2 | k8s_resource(entity='vigoda')
      |                     ^^^^^^^^
    hint: add the kind, the namespace or the group until only one is left
    "#);
    assert_snapshot!(with("entity='vigodo'"), @r#"
    /src/Tiltfile:2:13: k8s_resource: entity "vigodo" matches no workload. known workloads: vigoda:deployment:default:apps, vigoda:cronjob:default:batch
      |
    2 | k8s_resource(entity='vigodo')
      |                     ^^^^^^^^
    hint: did you mean "vigoda"?
    "#);
    assert_snapshot!(with("name='vigoda:cronjob', entity='vigoda'"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:2:13: in <toplevel>
    Error in k8s_resource: k8s_resource: cannot specify both "name" and "entity"
      |
    2 | k8s_resource(name='vigoda:cronjob', entity='vigoda')
      |                                            ^^^^^^^^
    hint: "name" is another word for "workload"; "entity" finds the resource through its workload
    "#);
}

#[test]
fn nothing_declared() {
    assert_snapshot!(errors("--- Tiltfile\n"), @r"No resources found. Check out https://docs.tilt.dev/tutorial.html to get started!");
}

#[test]
fn independent_faults_are_told_together() {
    let yaml = [deployment("a", "x"), deployment("b", "x")].concat();
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource('c')\nk8s_resource('a', new_name='b')\n\
                    k8s_resource('b', resource_deps=['b'])";
    assert_snapshot!(errors(&with_yaml(tiltfile, &yaml)), @r#"
    /src/Tiltfile:2:13: k8s_resource specified unknown resource "c". known k8s resources: a, b
      |
    2 | k8s_resource('c')
      |              ^^^

    /src/Tiltfile:3:13: k8s_resource specified to rename "a" to "b": k8s_resource named "b" already exists
      |
    3 | k8s_resource('a', new_name='b')
      |                            ^^^

    resource b specified a dependency on itself
     --> /src/Tiltfile:4:34
      |
    4 | k8s_resource('b', resource_deps=['b'])
      |                                  ^^^
    "#);
}
