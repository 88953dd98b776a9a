//! From declarations to resources: which objects and images make which resource.

use insta::assert_snapshot;
use tilt::tiltfile::MemoryHost;

use crate::support::{deployment, load, load_with, object, request, resources};

fn files(tiltfile: &str, yaml: &[String]) -> String {
    format!(
        "--- Tiltfile\n{tiltfile}\n--- app.yaml\n{}--- Dockerfile\nFROM scratch\n",
        yaml.concat()
    )
}

#[test]
fn a_workload_makes_a_resource_with_its_service_and_its_images() {
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: front}\nspec: {selector: {app: web}}\n---\n"
            .to_owned();
    let yaml = [
        object("ConfigMap", "settings"),
        deployment("web", "shop/web:v1"),
        deployment("db", "postgres"),
        service,
    ];
    assert_snapshot!(resources(&files("docker_build('shop/web', '.')\nk8s_yaml('app.yaml')", &yaml)), @r"
    web: Service/front Deployment/web; images shop_web; wait
    db: Deployment/db; wait
    uncategorized: ConfigMap/settings; ignore
    ");
}

#[test]
fn names_are_as_short_as_uniqueness_among_workloads_allows() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\n---\n".to_owned();
    let yaml = [deployment("web", "a"), job, object("ConfigMap", "web")];
    assert_snapshot!(resources(&files("k8s_yaml('app.yaml')", &yaml)), @r"
    web:deployment: Deployment/web; wait
    web:job: Job/web; succeeded
    uncategorized: ConfigMap/web; ignore
    ");
}

#[test]
fn options_are_applied_in_the_order_of_the_calls() {
    let yaml = [
        deployment("web", "a"),
        deployment("db", "b"),
        object("Secret", "key"),
        object("ConfigMap", "rest"),
    ];
    let tiltfile = "k8s_resource('web', new_name='site', labels=['front'])\n\
                    k8s_resource('site', resource_deps=['db', 'keys'], labels='x')\n\
                    k8s_resource(new_name='keys', objects=['key:secret'])\n\
                    k8s_resource(name='db', pod_readiness='ignore', new_name='web')\n\
                    k8s_resource('web', new_name='db')\n\
                    k8s_yaml('app.yaml')";
    assert_snapshot!(resources(&files(tiltfile, &yaml)), @r"
    site: Deployment/web; wait; after db keys; labels front x
    db: Deployment/db; ignore
    keys: Secret/key; ignore
    uncategorized: ConfigMap/rest; ignore
    ");
}

#[test]
fn an_entity_finds_the_resource_of_one_workload() {
    let job = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: vigoda}\n---\n".to_owned();
    let yaml = [deployment("vigoda", "a"), job];
    let tiltfile = "k8s_yaml('app.yaml')\nk8s_resource(entity='vigoda:deployment:default', new_name='vigoda')\n\
                    k8s_resource(entity='vigoda:CronJob', new_name='cron')";
    assert_snapshot!(resources(&files(tiltfile, &yaml)), @r"
    vigoda: Deployment/vigoda; wait
    cron: CronJob/vigoda; ignore
    ");
}

#[test]
fn base_images_come_before_what_is_built_on_them() {
    let tiltfile = "docker_build('app', '.', dockerfile_contents='FROM lib\\nCOPY --from=tools /x /x')\n\
                    docker_build('lib', '.', dockerfile_contents='FROM base')\n\
                    docker_build('tools', '.', dockerfile_contents='FROM base')\n\
                    docker_build('base', '.', dockerfile_contents='FROM scratch')\n\
                    k8s_yaml('app.yaml')";
    assert_snapshot!(resources(&files(tiltfile, &[deployment("a", "app")])), @"a: Deployment/a; images base lib tools app; wait");
}

#[test]
fn tags_decide_where_a_name_is_declared_twice() {
    let tiltfile = "docker_build('app', '.')\ndocker_build('app:x', '.')\nk8s_yaml('app.yaml')";
    let yaml = [
        deployment("a", "app"),
        deployment("b", "app:x"),
        deployment("c", "app:y"),
    ];
    assert_snapshot!(resources(&files(tiltfile, &yaml)), @r"
    a: Deployment/a; images app; wait
    b: Deployment/b; images app:x; wait
    c: Deployment/c; wait
    ");
}

#[test]
fn what_was_read_is_watched() {
    let files = "--- Tiltfile\nload('lib', 'x')\nread_file('absent', default='')\nk8s_yaml('app.yaml')\n\
                 docker_build('web', 'web', dockerfile='own/Dockerfile')\ndocker_build('other', 'other', \
                 dockerfile_contents='FROM x')\n--- lib\nx = 1\n--- own/Dockerfile\nFROM scratch\n\
                 --- web/.dockerignore\nnode_modules\n--- app.yaml\n";
    let load = load(&format!("{files}{}", deployment("web", "web")));
    let paths: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert_eq!(
        paths,
        [
            "/src/.tiltignore",
            "/src/Tiltfile",
            "/src/absent",
            "/src/app.yaml",
            "/src/lib",
            "/src/own/Dockerfile",
            "/src/web/.dockerignore",
        ]
    );
}

#[test]
fn a_failed_load_still_tells_what_it_read() {
    let load = load("--- Tiltfile\nread_file('a')\n");
    let paths: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["/src/.tiltignore", "/src/Tiltfile", "/src/a"]);
    assert_eq!(load.manifests, None);
}

#[test]
fn a_load_without_the_tiltfile_watches_only_its_path() {
    let load = load("--- other\n");
    assert_eq!(load.config_files.len(), 1);
    assert_eq!(
        load.error_text().expect("an error"),
        "No Tiltfile found at paths '/src/Tiltfile'. Check out https://docs.tilt.dev/tutorial.html"
    );
}

#[test]
fn arguments_select_resources_with_what_they_need() {
    let yaml = [
        deployment("a", "x"),
        deployment("b", "x"),
        deployment("c", "x"),
        object("Secret", "s"),
    ];
    let host = MemoryHost::new(&files(
        "k8s_yaml('app.yaml')\nk8s_resource('a', resource_deps=['b'])",
        &yaml,
    ));
    let mut request = request();
    request.args = vec!["a".to_owned()];
    let (load, _) = load_with(&request, &host);
    let enabled: Vec<&str> = load.enabled.iter().map(|name| name.as_str()).collect();
    assert_eq!(enabled, ["a", "b", "uncategorized"]);
    request.args = vec!["a".to_owned(), "d".to_owned()];
    let (load, _) = load_with(&request, &host);
    assert!(load.error_text().expect("an error").starts_with(
        "You specified some resources that could not be found: \"d\"\nIs this a typo? Existing resources in Tiltfile: \
         \"b\", \"c\", \"uncategorized\""
    ));
}

#[test]
fn secrets_are_reported_by_value() {
    let yaml =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aGVsbG8=}\nstringData: {b: plain}\n";
    let load = load(&files("k8s_yaml('app.yaml')", &[yaml.to_owned()]));
    let rows: Vec<(&str, &str, &str)> = load
        .secrets
        .iter()
        .map(|(value, secret)| (value.as_str(), secret.name.as_str(), secret.key.as_str()))
        .collect();
    assert_eq!(rows, [("hello", "s", "a"), ("plain", "s", "b")]);
}
