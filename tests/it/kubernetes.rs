//! Workloads, their names and options: what Tiltfiles say about Kubernetes objects, and each error of it.

use tilt::model::{DeployTarget, DiscoveryStrategy, K8sTarget, TriggerMode};

use crate::support::{deployment, errors, load, object, resources, warnings};

/// A Deployment and a CronJob of one name.
fn vigoda() -> String {
    format!(
        "{}apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: vigoda}}\nspec:\n  jobTemplate:\n    spec:\n      \
         template:\n        spec: {{containers: [{{name: c, image: clock}}]}}\n",
        deployment("vigoda", "boat")
    )
}

fn project(tiltfile: &str, yaml: &str) -> String {
    format!("--- Tiltfile\n{tiltfile}\n--- app.yaml\n{yaml}\n")
}

fn with_vigoda(calls: &str) -> String {
    project(&format!("k8s_yaml('app.yaml')\n{calls}"), &vigoda())
}

fn k8s(files: &str, name: &str) -> (K8sTarget, TriggerMode) {
    let load = load(files);
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("a load without errors has manifests");
    let manifest = manifests
        .into_iter()
        .find(|manifest| manifest.name.as_str() == name)
        .expect("a resource of that name");
    match manifest.deploy {
        DeployTarget::K8s(target) => (target, manifest.trigger_mode),
        _ => panic!("{name} is not deployed to Kubernetes"),
    }
}

/// Checks that the errors of a Tiltfile begin with, or contain, a text.
#[track_caller]
fn check_error(files: &str, expected: &str) {
    let found = errors(files);
    assert!(found.contains(expected), "wanted {expected:?} in\n{found}");
}

#[test]
fn the_six_vigoda_examples_of_the_design_hold() {
    for calls in [
        "k8s_resource(entity='vigoda:deployment', new_name='vigoda')\n\
         k8s_resource(entity='vigoda:cronjob', new_name='cron')",
        "k8s_resource(entity='vigoda:deployment:default', new_name='vigoda')\n\
         k8s_resource(entity='vigoda:cronjob', new_name='cron')",
        "k8s_resource(name='vigoda:deployment', new_name='vigoda')\n\
         k8s_resource(name='vigoda:cronjob', new_name='cron')",
    ] {
        assert_eq!(
            resources(&with_vigoda(calls)),
            "vigoda: Deployment/vigoda; wait\ncron: CronJob/vigoda; ignore",
            "{calls}"
        );
    }
    for (call, expected) in [
        (
            "k8s_resource(entity='vigoda', port_forwards=10000)",
            "entity \"vigoda\" matches more than one workload: vigoda:deployment:default:apps, \
             vigoda:cronjob:default:batch",
        ),
        (
            "k8s_resource(name='vigoda', new_name='foo')",
            "k8s_resource specified unknown resource \"vigoda\". known k8s resources: vigoda:deployment, vigoda:cronjob",
        ),
        (
            "k8s_resource(entity='vigoda:deployment', new_name='vigoda:cronjob')",
            "k8s_resource specified to rename \"vigoda:deployment\" to \"vigoda:cronjob\": k8s_resource named \
             \"vigoda:cronjob\" already exists",
        ),
    ] {
        check_error(&with_vigoda(call), expected);
    }
}

#[test]
fn an_entity_finds_its_resource_after_a_rename() {
    let calls = "k8s_resource(entity='vigoda:deployment', new_name='boat')\n\
                 k8s_resource(entity='vigoda:DEPLOYMENT:default:apps', labels=['sea'])";
    assert!(resources(&with_vigoda(calls)).starts_with("boat: Deployment/vigoda; wait; labels sea\n"));
}

#[test]
fn what_an_entity_does_not_mean_is_explained() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: pier}\n";
    let files = |call: &str| {
        project(
            &format!("k8s_yaml('app.yaml')\n{call}"),
            &format!("{}{service}", deployment("web", "shop/web")),
        )
    };
    check_error(
        &files("k8s_resource(entity='wbe')"),
        "hint: did you mean \"web\"?",
    );
    let of_service = errors(&files("k8s_resource(entity='pier')"));
    assert!(
        of_service.contains("matches no workload, only pier:service:default:core"),
        "{of_service}"
    );
    assert!(
        of_service.contains("hint: move objects that are no workloads with objects=[...]"),
        "{of_service}"
    );
}

#[test]
fn a_function_of_one_or_four_arguments_names_resources() {
    let one = "def name(id):\n    return '-'.join([id.name, id.kind, id.namespace, id.group or 'core'])\n\
               workload_to_resource_function(name)";
    let four =
        "suffix = '!'\nworkload_to_resource_function(lambda name, kind, namespace, group: kind[:4] + suffix)";
    assert!(resources(&with_vigoda(one)).starts_with("vigoda-Deployment-default-apps: "));
    let named = resources(&with_vigoda(four));
    assert_eq!(
        named,
        "Depl!: Deployment/vigoda; wait\nCron!: CronJob/vigoda; ignore"
    );
}

#[test]
fn the_naming_function_of_a_file_that_exits_is_still_called() {
    let tiltfile = "def name(id):\n    return id.kind.lower()\nworkload_to_resource_function(name)\n\
                    k8s_yaml('app.yaml')\nexit()";
    assert!(resources(&project(tiltfile, &vigoda())).starts_with("deployment: "));
}

#[test]
fn a_naming_function_that_does_not_fit_is_refused_with_its_position() {
    let applied = "/src/Tiltfile:2:1: error applying workload_to_resource_function: ";
    for (tiltfile, expected) in [
        (
            "\ndef same(id):\n    return 'x'\nworkload_to_resource_function(same)",
            format!(
                "{applied}both 'vigoda:cronjob:default:batch' and 'vigoda:deployment:default:apps' mapped to resource name 'x'"
            ),
        ),
        (
            "\ndef number(id):\n    return 1\nworkload_to_resource_function(number)",
            format!(
                "{applied}error determining resource name for 'vigoda:deployment:default:apps': number: invalid return \
                 value. wanted: string. got: starlark.Int"
            ),
        ),
        (
            "\ndef broken(id):\n    return id.nmae\nworkload_to_resource_function(broken)",
            format!("{applied}error determining resource name for 'vigoda:deployment:default:apps': "),
        ),
        (
            "\ndef reads(id):\n    return str(read_file('x'))\nworkload_to_resource_function(reads)",
            "read_file cannot be called by the function of workload_to_resource_function".to_owned(),
        ),
        (
            "workload_to_resource_function(lambda a, b: a)",
            "workload_to_resource_function arg must take 1 argument. lambda takes 2".to_owned(),
        ),
        (
            "workload_to_resource_function(len)",
            "got builtin_function_or_method, want function".to_owned(),
        ),
    ] {
        check_error(
            &project(&format!("{tiltfile}\nk8s_yaml('app.yaml')"), &vigoda()),
            &expected,
        );
    }
}

#[test]
fn every_option_of_a_resource_is_kept() {
    let calls = "k8s_resource('vigoda:deployment', port_forwards=[8000, '81:80', '0.0.0.0:82:80', port_forward(83, name='x')], \
                 extra_pod_selectors=[{'a': 'b'}, {}], trigger_mode=TRIGGER_MODE_MANUAL, auto_init=False, \
                 links=['x.org', link('http://y.org', 'y')], discovery_strategy='selectors-only')\n\
                 k8s_resource('vigoda:deployment', port_forwards=84, auto_init=None)";
    let (target, trigger_mode) = k8s(&with_vigoda(calls), "vigoda:deployment");
    let ports: Vec<(u16, u16, Option<&str>)> = target
        .options
        .port_forwards
        .iter()
        .map(|forward| {
            (
                forward.local_port,
                forward.container_port,
                forward.host.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        ports,
        [
            (8000, 0, None),
            (81, 80, None),
            (82, 80, Some("0.0.0.0")),
            (83, 0, None),
            (84, 0, None)
        ]
    );
    let urls: Vec<String> = target
        .options
        .links
        .iter()
        .map(|link| link.url.to_string())
        .collect();
    assert_eq!(urls, ["http://x.org", "http://y.org"]);
    assert_eq!(target.extra_pod_selectors.len(), 1);
    assert_eq!(
        target.options.discovery_strategy,
        Some(DiscoveryStrategy::SelectorsOnly)
    );
    assert_eq!(trigger_mode, TriggerMode::Manual);
}

#[test]
fn values_that_do_not_fit_a_resource_are_refused() {
    let port = |written: &str| format!("k8s_resource(\"x\", port_forwards={written})");
    for (call, expected) in [
        (
            port("-1"),
            "k8s_resource \"x\": portForward port value -1 is not in the valid range [0-65535]",
        ),
        (
            port("8000000"),
            "portForward port value 8000000 is not in the valid range [0-65535]",
        ),
        (
            port("''"),
            "portForward port value \"\" is not in the valid range [0-65535]",
        ),
        (
            port("'bad+host:1:2'"),
            "portForward host value \"bad+host\" is not a valid hostname or IP address",
        ),
        (
            port("port_forward(70000)"),
            "portForward port value 70000 is not in the valid range [0-65535]",
        ),
        (
            port("3.5"),
            "port_forwards must be an int, a port_forward, or a sequence of those; is a starlark.Float",
        ),
        (
            port("[{}]"),
            "includes element {} which must be an int or a port_forward; is a *starlark.Dict",
        ),
        (
            "port_forward('8001')".to_owned(),
            "port_forward: for parameter local_port: got string, want int",
        ),
        (
            "port_forward(1, link_path='invalid_escape%')".to_owned(),
            "parsing `path` param: parse \"invalid_escape%\": invalid URL escape \"%\"",
        ),
        ("link('')".to_owned(), "validating URL \"\": url empty"),
        ("link(name='x')".to_owned(), "link: missing argument for url"),
        (
            "k8s_resource('x', links=123)".to_owned(),
            "Want a string, a link, or a sequence of these; found 123",
        ),
        (
            "k8s_resource('x', links=[''])".to_owned(),
            "validating URL \"\": url empty",
        ),
        (
            "k8s_resource('x', extra_pod_selectors='a')".to_owned(),
            "pod labels must be a dict or a list; got starlark.String",
        ),
        (
            "k8s_resource('x', extra_pod_selectors=None)".to_owned(),
            "pod labels must be a dict or a list; got starlark.NoneType",
        ),
        (
            "k8s_resource('x', extra_pod_selectors=['a'])".to_owned(),
            "pod labels elements must be dicts; got starlark.String",
        ),
        (
            "k8s_resource('x', extra_pod_selectors={1: 'a'})".to_owned(),
            "pod label keys must be strings; got '1' of type starlark.Int",
        ),
        (
            "k8s_resource('x', extra_pod_selectors={'a': 1})".to_owned(),
            "pod label values must be strings; got '1' of type starlark.Int",
        ),
        (
            "k8s_resource('x', discovery_strategy='typo')".to_owned(),
            "Invalid. Must be one of: \"default\", \"selectors-only\"",
        ),
        (
            "k8s_resource('x', auto_init='yes')".to_owned(),
            "expected starlark.Bool or None, got starlark.String",
        ),
        (
            "k8s_resource('x', trigger_mode=1)".to_owned(),
            "got int, want TriggerMode",
        ),
        (
            "k8s_resource('x', trigger_mode=None)".to_owned(),
            "got NoneType, want TriggerMode",
        ),
        (
            "k8s_resource('x', pod_readiness='w')".to_owned(),
            "Invalid value. Allowed: {ignore, wait}. Got: w",
        ),
    ] {
        check_error(&project(&call, ""), expected);
    }
}

const MACHINE: &str = "apiVersion: plant.io/v1\nkind: Machine\nmetadata: {name: saw, namespace: hall}\nspec: {image: blade, \
                       parts: [{image: motor}], made: {repo: steel, tag: v1}}\n";

fn machine(calls: &str) -> String {
    let builds = "docker_build('blade', '.')\ndocker_build('motor', '.')\ndocker_build('steel', '.')\n";
    format!(
        "{}--- Dockerfile\nFROM scratch\n",
        project(&format!("{builds}k8s_yaml('app.yaml')\n{calls}"), MACHINE)
    )
}

#[test]
fn kinds_and_paths_make_workloads_and_find_their_images() {
    for (calls, expected) in [
        (
            "k8s_kind('^mach', image_json_path='{.spec.image}')",
            "saw: Machine/saw; images blade; wait",
        ),
        (
            "k8s_kind('Machine', image_json_path=['{.spec.parts[*].image}', '{.spec.image}'], pod_readiness='ignore')",
            "saw: Machine/saw; images motor blade; ignore",
        ),
        (
            "k8s_kind('Machine', api_version='plant.io/v1', image_object={'json_path': '{.spec.made}', 'repo_field': 'repo', \
             'tag_field': 'tag'})",
            "saw: Machine/saw; images steel; wait",
        ),
        ("k8s_kind('Machine')", "saw: Machine/saw; wait"),
        (
            "k8s_image_json_path('{.spec.image}', name='.*W$')",
            "saw: Machine/saw; images blade; wait",
        ),
        (
            "k8s_image_json_path('{.spec.image}', namespace='HALL')",
            "saw: Machine/saw; images blade; wait",
        ),
        (
            "k8s_kind('Machine', api_version='v2')",
            "uncategorized: Machine/saw; ignore",
        ),
    ] {
        assert_eq!(resources(&machine(calls)), expected, "{calls}");
    }
}

#[test]
fn kinds_and_paths_that_do_not_fit_are_refused() {
    let form = "Expected dict of the form {'json_path': str, 'repo_field': str, 'tag_field': str}";
    for (call, expected) in [
        ("k8s_kind('*')", "error parsing kind regexp: "),
        (
            "k8s_kind('x', api_version='*')",
            "error parsing apiVersion regexp: ",
        ),
        (
            "k8s_kind('x', '{.a}')",
            "k8s_kind: got 2 arguments, want at most 1",
        ),
        ("k8s_kind('x', image_json_path=8)", "Expected string, got: 8"),
        ("k8s_kind('x', image_json_path='{.a')", "unclosed action"),
        (
            "k8s_kind('x', image_json_path='{.a}', image_object={})",
            "Cannot specify both image_json_path and image_object",
        ),
        (
            "k8s_kind('x', image_object='a')",
            &format!("{form}. Actual: \"a\""),
        ),
        (
            "k8s_kind('x', image_object={'json_path': 'a'})",
            &format!("{form}: Missing keys. Actual keys: [\"json_path\"]"),
        ),
        (
            "k8s_kind('x', image_object={'x': 'a'})",
            &format!("{form}: Unexpected key: \"x\""),
        ),
        (
            "k8s_image_json_path('{.a}', api_version='v1')",
            "at least one of kind, name, or namespace must be specified",
        ),
        ("k8s_image_json_path(8, name='x')", "Expected string, got: 8"),
        ("k8s_image_json_path(name='x')", "missing argument for paths"),
        (
            "k8s_image_json_path('{.a}', namespace='*')",
            "error parsing namespace regexp: ",
        ),
        (
            "k8s_kind('Machine', image_json_path='{.spec.missing}')",
            "finding image in Machine/saw: Matching (json_path=\"{.spec.missing}\"): missing is not found",
        ),
        (
            "k8s_kind('Machine', image_json_path='{foobar()}')",
            "finding image in Machine/saw: Matching (json_path=\"{foobar()}\"): unrecognized identifier foobar()",
        ),
        (
            "k8s_kind('Machine', image_json_path='{.spec.parts[5]}')",
            "array index out of bounds: index 5, length 1",
        ),
        (
            "k8s_kind('Machine', image_json_path='{.spec.parts}')",
            "May only match strings (json_path=\"{.spec.parts}\")",
        ),
        (
            "k8s_kind('Machine', image_object={'json_path': '{.spec.image}', 'repo_field': 'r', 'tag_field': 't'})",
            "May only match maps (json_path=\"{.spec.image}\")",
        ),
    ] {
        check_error(&machine(call), expected);
    }
}

#[test]
fn filters_split_yaml_in_two() {
    let yaml = format!(
        "{}apiVersion: v1\nkind: Service\nmetadata: {{name: web, labels: {{tier: a}}}}\n---\napiVersion: v1\nkind: Secret\n\
         metadata: {{name: key, namespace: vault}}\n",
        deployment("web", "shop/web")
    );
    for (filter, kept, rest) in [
        ("labels={'tier': 'a'}", "Service/web", "Deployment/web Secret/key"),
        ("name='^WEB$'", "Deployment/web Service/web", "Secret/key"),
        (
            "name='e', kind='deploy'",
            "Deployment/web",
            "Service/web Secret/key",
        ),
        ("namespace='default'", "Deployment/web Service/web", "Secret/key"),
        (
            "api_version='apps/v1'",
            "Deployment/web",
            "Service/web Secret/key",
        ),
    ] {
        for (half, expected) in [(0, kept), (1, rest)] {
            let tiltfile = format!("k8s_yaml(filter_yaml('app.yaml', {filter})[{half}])");
            let files = project(&tiltfile, &yaml);
            let load = load(&files);
            let manifests = load.manifests.expect(filter);
            let mut found: Vec<String> = Vec::new();
            for manifest in &manifests {
                let DeployTarget::K8s(target) = &manifest.deploy else {
                    continue;
                };
                let shown = target.entities.iter().rev();
                found.extend(shown.map(|entity| format!("{}/{}", entity.kind(), entity.name())));
            }
            assert_eq!(found.join(" "), expected, "{filter}");
        }
    }
    check_error(
        &project("filter_yaml('app.yaml', name='(')", &yaml),
        "error parsing name regexp: ",
    );
    check_error(
        &project("k8s_yaml(filter_yaml([])[0])", &yaml),
        "Empty YAML passed to k8s_yaml",
    );
}

#[test]
fn a_wrong_type_in_yaml_is_marked_there() {
    let yaml = "kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: s\nspec:\n  replicas: three\n";
    insta::assert_snapshot!(errors(&project("k8s_yaml('app.yaml')", yaml)), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:9: in <toplevel>
    Error in k8s_yaml: /src/app.yaml is not a valid YAML file: decoding Deployment "s": json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32
     --> /src/app.yaml:6:3
      |
    6 |   replicas: three
      |   ^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn an_unknown_field_in_yaml_is_left_out_with_a_warning() {
    let yaml = "kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: s\nspec:\n  replica: 3\n";
    let files = project(
        "k8s_yaml('app.yaml')\nk8s_yaml('app.yaml', allow_duplicates=True)",
        yaml,
    );
    let load = load(&files);
    let warned: Vec<String> = load.warnings.iter().map(|warning| warning.render()).collect();
    insta::assert_snapshot!(warned.join("\n\n"), @r#"
    Deployment "s" has no field "spec.replica": it is left out
     --> /src/app.yaml:6:3
      |
    6 |   replica: 3
      |   ^^^^^^^^^^
    hint: did you mean "replicas"?
    "#);
}

#[test]
fn a_duplicate_of_what_was_allowed_to_be_one_is_noticed() {
    let yaml = object("ConfigMap", "x");
    let error = errors(&project(
        "k8s_yaml('app.yaml', allow_duplicates=True)\nk8s_yaml('app.yaml', allow_duplicates=True)\nk8s_yaml('app.yaml')",
        &yaml,
    ));
    assert!(error.contains("Duplicate YAML: ConfigMap x\n"), "{error}");
    assert!(
        error.contains("originally registered at: Traceback (most recent call last):\n  /src/Tiltfile:1:"),
        "{error}"
    );
}

#[test]
fn a_port_that_leads_to_another_one_of_the_container_is_told() {
    let yaml = "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec: {containers: [{name: c, image: x, ports: \
                [{containerPort: 8080}, {containerPort: 9090}]}]}\n";
    let warned = |ports: &str| {
        let call = format!("k8s_yaml('app.yaml')\nk8s_resource('web', port_forwards={ports})");
        warnings(&project(&call, yaml))
    };
    insta::assert_snapshot!(warned("'18099'"), @r#"
    k8s_resource "web": port_forwards=18099 leads to port 8080 of the container, which documents no port 18099
     --> /src/Tiltfile:2:35
      |
    2 | k8s_resource('web', port_forwards='18099')
      |                                   ^^^^^^^
    hint: write '18099:8080' if that is meant, else '18099:18099'
    "#);
    for fine in ["9090", "'18099:8080'", "port_forward(8080)", "['18099:7', 8080]"] {
        assert_eq!(warned(fine), "", "{fine}");
    }
}

#[test]
fn two_workloads_never_make_one_resource() {
    let without_containers = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec: \
                              {containers: []}\n";
    let yaml = format!("{}{without_containers}", deployment("web", "x"));
    insta::assert_snapshot!(
        errors(&project("k8s_yaml('app.yaml', allow_duplicates=True)", &yaml)), @r#"
    error making resource for workload web:deployment:default:apps: k8s_resource named "web" already exists
     --> /src/Tiltfile:1:1
      |
    1 | k8s_yaml('app.yaml', allow_duplicates=True)
      | ^^^^^^^^
    hint: two workloads cannot make one resource: web:deployment:default:apps (/src/app.yaml:1) and web:deployment:default:apps (/src/app.yaml:9)
    "#
    );
}

#[test]
fn a_custom_deploy_is_a_resource_with_commands_images_and_a_live_update() {
    let builds = "docker_build('string', '.', dockerfile_contents='FROM scratch')\n";
    let calls = "k8s_custom_deploy('kite', ' fly ', ['land', 'it'], ['lib'], image_selector='tail', \
                 live_update=[sync('lib', '/lib')], apply_env={'A': 'b'}, delete_dir='sub', image_deps=['string'])\n\
                 k8s_resource('kite', new_name='dragon', port_forwards=80)";
    let files = project(&format!("{builds}{calls}"), "");
    let (target, _) = k8s(&files, "dragon");
    let deploy = target.options.custom_deploy.expect("a custom deploy");
    assert_eq!(deploy.apply.argv, ["sh", "-c", "fly"]);
    assert_eq!(deploy.apply.env, ["A=b"]);
    assert_eq!(deploy.delete.argv, ["land", "it"]);
    assert_eq!(
        deploy.delete.dir.map(|dir| dir.to_string()).as_deref(),
        Some("/src/sub")
    );
    assert_eq!(deploy.watch_ignores[0].patterns, ["lib"]);
    assert_eq!(target.options.port_forwards.len(), 1);
    let built: Vec<&str> = target.images.iter().map(|id| id.name.as_str()).collect();
    assert_eq!(
        built,
        ["string"],
        "the image of the live update is not put into objects"
    );
    assert_eq!(resources(&files), "dragon: ; images string tail; wait");
}

#[test]
fn custom_deploys_that_do_not_fit_are_refused() {
    let deploy = |rest: &str| format!("k8s_custom_deploy('kite', 'fly', 'land', deps=[]{rest})");
    let steps = "live_update=[sync('lib', '/lib')]";
    for (calls, expected) in [
        (
            "k8s_custom_deploy('kite', '', 'land', [])".to_owned(),
            "k8s_custom_deploy: apply_cmd cannot be empty",
        ),
        (
            "k8s_custom_deploy('kite', 'fly', [], [])".to_owned(),
            "k8s_custom_deploy: delete_cmd cannot be empty",
        ),
        (
            "k8s_custom_deploy('kite', 'fly', 'land')".to_owned(),
            "missing argument for deps",
        ),
        (
            deploy(&format!(", {steps}")),
            "k8s_custom_deploy: no Live Update selector specified",
        ),
        (
            deploy(&format!(", {steps}, image_selector='a', container_selector='b'")),
            "k8s_custom_deploy: cannot specify more than one Live Update selector",
        ),
        (
            deploy(", image_deps=['nothing']"),
            "resource \"kite\": image build \"nothing\" not found",
        ),
        (
            deploy(", image_deps=['A b']"),
            "must be a valid image reference: ",
        ),
        (
            format!("{0}\n{0}", deploy("")),
            "error making resource for kite: k8s_resource named \"kite\" already exists",
        ),
        (
            format!("local_resource('kite', 'x')\n{}", deploy("")),
            "error making resource for kite: local_resource named \"kite\" already exists",
        ),
        (
            format!("{}\nlocal_resource('kite', 'x')", deploy("")),
            "k8s_resource named \"kite\" already exists",
        ),
    ] {
        check_error(&project(&calls, ""), expected);
    }
}
