//! Compose projects: the commands that read them, what is watched, what is reused, and each error. What compose itself
//! answers is made up here; `tests/cluster/compose_load.rs` asks the real one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use insta::assert_snapshot;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::{DeployTarget, ImageBuild, TriggerMode};
use tilt::tiltfile::{Load, LoadRequest, MemoryHost, Ran, load_on_big_stack};

use crate::support::{describe, load_with, request};

const CONFIG: &str = "docker compose --project-name src --project-directory /src -f /src/compose.yml config";

/// What compose says of three services.
const ANSWER: &str = r#"{"name": "src", "services": {
    "web": {"image": "nginx", "command": null, "ports": [{"target": 80, "published": "8080", "protocol": "tcp"}],
            "depends_on": {"api": {"condition": "service_healthy", "required": true, "restart": true}}},
    "api": {"build": {"context": "/src/api", "dockerfile": "Dockerfile"},
            "volumes": [{"type": "bind", "source": "/src/api/src", "target": "/app"}],
            "depends_on": {"db": {"condition": "service_started", "required": true}}},
    "db": {"image": "postgres", "environment": {"PASSWORD": "a$$b"}}}}"#;

fn ok(stdout: &str) -> Ran {
    Ran {
        stdout: stdout.into(),
        ..Ran::default()
    }
}

fn failed(stderr: &str) -> Ran {
    Ran {
        failure: Some("exit status 1".to_owned()),
        stderr: stderr.into(),
        ..Ran::default()
    }
}

fn with_compose(files: &str) -> MemoryHost {
    MemoryHost::new(files).with_command("docker compose version", ok("Docker Compose version v2.40.3\n"))
}

/// A host whose compose answers for the file `compose.yml`.
fn answering(tiltfile: &str, more_files: &str, answer: Ran) -> MemoryHost {
    with_compose(&format!("--- Tiltfile\n{tiltfile}\n{more_files}"))
        .with_command(&format!("{CONFIG} --format json"), answer)
}

fn load(host: &MemoryHost) -> Load {
    load_with(&request(), host).0
}

#[track_caller]
fn shown(host: &MemoryHost) -> String {
    let load = load(host);
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.iter().flatten().map(describe);
    manifests.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn error(host: &MemoryHost) -> String {
    load(host).error_text().expect("the load must fail")
}

const COMPOSE_FILE: &str = "--- compose.yml\nservices: {}\n--- api/Dockerfile\nFROM a\n";

#[test]
fn services_are_resources_that_wait_for_what_they_need() {
    let host = answering("docker_compose('compose.yml')", COMPOSE_FILE, ok(ANSWER));
    assert_snapshot!(shown(&host), @r"
    db: src/db postgres
    api: src/api src-api; builds src_api; service_started db; after db
    web: src/web nginx; service_healthy api; http://localhost:8080/; after api
    ");
}

#[test]
fn what_compose_says_of_a_service_is_in_its_target() {
    let host = answering("docker_compose('compose.yml')", COMPOSE_FILE, ok(ANSWER));
    let manifests = load(&host).manifests.expect("it loads");
    let target = |name: &str| {
        let manifest = manifests.iter().find(|manifest| manifest.name.as_str() == name);
        match manifest.map(|manifest| &manifest.deploy) {
            Some(DeployTarget::Compose(target)) => target,
            _ => panic!("{name} is no service"),
        }
    };
    let as_compose_hashes_it = "bb7dec3b2c1e44702e6c3bff779e8166cef996fae00861975042c9496b906fcb";
    assert_eq!(target("api").service.config_hash, as_compose_hashes_it);
    assert_eq!(
        target("api").service.image,
        "src-api",
        "compose's own name, not the one that images are found by"
    );
    assert_eq!(
        target("db").service.definition["environment"]["PASSWORD"],
        "a$b",
        "compose writes each dollar twice"
    );
    let needed = &target("web").service.depends_on[0];
    assert_eq!(
        (needed.condition.as_str(), needed.restart),
        ("service_healthy", true)
    );
}

#[test]
fn the_image_of_a_build_section_changes_with_its_dockerfile_and_not_with_what_is_mounted() {
    let image = |dockerfile: &str| {
        let files = format!("--- compose.yml\nservices: {{}}\n--- api/Dockerfile\n{dockerfile}\n");
        let host = answering("docker_compose('compose.yml')", &files, ok(ANSWER));
        let load = load(&host);
        assert!(
            load.watched_files()
                .iter()
                .any(|path| path.to_string() == "/src/api/Dockerfile")
        );
        let manifests = load.manifests.expect("it loads");
        let mut images = manifests.into_iter().flat_map(|manifest| manifest.images);
        images.next().expect("an image")
    };
    let before = image("FROM a");
    assert_ne!(before, image("FROM b"));
    assert!(matches!(&before.build, ImageBuild::Compose(build) if build.service == "api"));
    let ignored: Vec<String> = before
        .watch_ignores
        .iter()
        .map(|ignore| ignore.base.to_string())
        .collect();
    assert_eq!(ignored, ["/src/api/Dockerfile", "/src/api/src"]);
}

#[test]
fn compose_is_called_with_all_that_the_call_says() {
    let call = "docker_compose(['a/one.yml', '/b/two.yml'], env_file='dev.env', project_name='p', profiles=['x', 'y'], wait=True)";
    let config = "docker compose --project-name p --project-directory /src/a --env-file /src/dev.env -f /src/a/one.yml -f \
                  /b/two.yml --profile x --profile y config";
    let host = with_compose(&format!("--- Tiltfile\n{call}\n"))
        .with_command(&format!("{config} --format json"), ok(ANSWER));
    let load = load(&host);
    assert_eq!(load.error_text(), None);
    let listed: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert_eq!(listed[..2], ["/b/two.yml", "/src/.tiltignore"]);
    assert!(listed.contains(&"/src/dev.env".to_owned()));
    assert!(
        !load
            .watched_files()
            .iter()
            .any(|path| path.to_string().ends_with("/.env"))
    );
}

#[test]
fn files_that_a_project_includes_and_extends_are_watched_with_their_variables() {
    let files = "--- compose.yml\ninclude: [sub/a.yml, {path: [b/b.yml, b/c.yml], env_file: b.env, project_directory: pd}]\n\
                 services: {s: {extends: {file: base/x.yml, service: t}}}\n\
                 --- sub/a.yml\ninclude: [deeper.yml]\nservices: {}\n--- sub/deeper.yml\nservices: {}\n\
                 --- base/x.yml\nservices: {t: {extends: {file: y.yml, service: u}}}\n--- api/Dockerfile\n";
    let host = answering("docker_compose('compose.yml')", files, ok(ANSWER));
    let load = load(&host);
    assert_eq!(load.error_text(), None);
    let unlisted: Vec<String> = load.unlisted_files.iter().map(ToString::to_string).collect();
    assert_snapshot!(unlisted.join("\n"), @r"
    /src/.env
    /src/api/Dockerfile
    /src/b/b.yml
    /src/b/c.yml
    /src/b.env
    /src/base/x.yml
    /src/base/y.yml
    /src/sub/.env
    /src/sub/a.yml
    /src/sub/deeper.yml
    ");
    let watched = load.watched_files();
    assert!(
        load.config_files
            .iter()
            .chain(&load.unlisted_files)
            .all(|file| watched.contains(file))
    );
}

#[test]
fn a_call_that_somebody_killed_is_made_again_twice_and_that_is_told() {
    let killed = || Ran {
        failure: Some("exit status 255".to_owned()),
        code: 255,
        ..Ran::default()
    };
    let host = |calls: Vec<Ran>| {
        with_compose(&format!(
            "--- Tiltfile\ndocker_compose('compose.yml')\n{COMPOSE_FILE}"
        ))
        .with_calls(&format!("{CONFIG} --format json"), calls)
    };
    let twice = host(vec![killed(), killed(), ok(ANSWER)]);
    let (load, log) = load_with(&request(), &twice);
    assert_eq!(load.error_text(), None);
    let told = format!("{CONFIG} --format json: exit status 255. Trying again");
    assert_eq!(log.matches(&told).count(), 2, "{log}");
    assert_snapshot!(error(&host(vec![killed()])), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: command ["docker" "compose" "--project-name" "src" "--project-directory" "/src" "-f" "/src/compose.yml" "config"] failed.
    error: exit status 255
    stdout: ""
    stderr: ''
      |
    1 | docker_compose('compose.yml')
      |                ^^^^^^^^^^^^^
    hint: somebody else ended it: was there too little memory?
    "#);
}

#[test]
fn a_config_or_a_secret_is_known_by_the_value_of_its_variable() {
    let answer = r#"{"name": "src", "services": {"api": {"image": "x", "configs": [{"source": "c"}], "secrets": [{"source": "s"}]}},
        "configs": {"c": {"environment": "CONFIG"}}, "secrets": {"s": {"environment": "SECRET"}}}"#;
    let texts = |printed: &str, own: &[(&str, &str)]| {
        let host = answering("docker_compose('compose.yml')", COMPOSE_FILE, ok(answer))
            .with_command(&format!("{CONFIG} --environment"), ok(printed));
        let host = own
            .iter()
            .fold(host, |host, (name, value)| host.with_env(name, value));
        let manifests = load(&host).manifests.expect("it loads");
        let service = &manifests[0].deploy.compose().expect("a service").service;
        let texts = service.texts.iter().map(|text| {
            let known = ["one", "two", "three"]
                .into_iter()
                .find(|known| text.is(known.as_bytes()));
            format!("{} {}", text.target, known.unwrap_or("?"))
        });
        texts.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        texts("CONFIG=one\nSECRET=two\n", &[]),
        "/c one, /run/secrets/s two"
    );
    assert_eq!(
        texts("CONFIG=one\n", &[("CONFIG", "three"), ("SECRET", "two")]),
        "/c three, /run/secrets/s two",
        "what the environment says comes first"
    );
    assert_eq!(
        texts("CONFIG=one\nmore\n", &[]),
        "",
        "and what is not certain is nothing"
    );
}

#[test]
fn fields_of_users_own_are_part_of_what_is_shown_of_a_service() {
    let file = "--- compose.yml\nservices:\n  web:\n    image: x\n    x-team: me\n";
    let json =
        r#"{"name": "src", "services": {"web": {"image": "x", "healthcheck": {"test": ["CMD", "a"]}}}}"#;
    let yaml = "name: src\nservices:\n  web:\n    image: x\n    healthcheck:\n      test: [CMD, a]\n      x-deep: a$$b\n    \
                x-team: me\n    other: 1\n";
    let host = answering("docker_compose('compose.yml')", file, ok(json)).with_command(CONFIG, ok(yaml));
    let manifests = load(&host).manifests.expect("it loads");
    let service = &manifests[0].deploy.compose().expect("a service").service;
    assert_eq!(
        service.definition,
        serde_json::json!({
            "image": "x",
            "healthcheck": {"test": ["CMD", "a"], "x-deep": "a$b"},
            "x-team": "me",
        })
    );
}

#[test]
fn files_of_variables_in_a_form_that_tilt_does_not_know_are_watched_and_not_shown() {
    let file = "--- compose.yml\nservices:\n  web:\n    image: x\n    env_file: [{path: a.env, format: raw}, {path: b.env}]\n";
    let json = r#"{"name": "src", "services": {"web": {"image": "x"}}}"#;
    let model = r#"{"name": "src", "services": {"web": {"image": "x",
        "env_file": [{"path": "/src/a.env", "format": "raw"}, {"path": "/src/b.env"}]}}}"#;
    let host = answering("docker_compose('compose.yml')", file, ok(json))
        .with_command(&format!("{CONFIG} --format json --no-interpolate"), ok(model));
    let load = load(&host);
    let manifests = load.manifests.as_ref().expect("it loads");
    let service = &manifests[0].deploy.compose().expect("a service").service;
    assert_eq!(service.definition, serde_json::json!({"image": "x"}));
    let named = |files: &[tilt::model::LocalPath]| files.iter().any(|file| file.to_string() == "/src/a.env");
    assert!(!named(&load.config_files), "{:?}", load.config_files);
    assert!(named(&load.unlisted_files));
}

/// Loads in a session and returns how many commands that ran.
fn commands_of_load(request: &LoadRequest, host: &MemoryHost) -> usize {
    let log = LogWriter::global(LogStore::in_memory());
    let load = load_on_big_stack(request, host, &log, Arc::new(AtomicBool::new(false)));
    assert_eq!(load.error_text(), None);
    host.ran().len()
}

#[test]
fn a_project_is_read_again_only_when_one_of_its_files_has_changed() {
    let host = |compose: &str, included: &str, env: &str| {
        let files = format!(
            "--- compose.yml\n{compose}include: [sub/a.yml]\n--- sub/a.yml\n{included}\n--- .env\n{env}\n--- api/Dockerfile\nFROM a\n"
        );
        answering("docker_compose('compose.yml')", &files, ok(ANSWER))
    };
    let session = request();
    let commands = |host: &MemoryHost| commands_of_load(&session, host);
    assert_eq!(commands(&host("", "services: {}", "A=1")), 2, "version, project");
    assert_eq!(
        commands(&host("", "services: {}", "A=1")),
        0,
        "nothing has changed"
    );
    assert_eq!(commands(&host("# x\n", "services: {}", "A=1")), 1, "the file");
    assert_eq!(
        commands(&host("# x\n", "services: {b: {}}", "A=1")),
        1,
        "what it includes"
    );
    assert_eq!(
        commands(&host("# x\n", "services: {b: {}}", "A=2")),
        1,
        "variables"
    );
    let another_variable = host("# x\n", "services: {b: {}}", "A=2").with_env("TAG", "v2");
    assert_eq!(commands(&another_variable), 2, "the environment");
}

#[test]
fn a_blob_and_a_dict_are_files_for_compose() {
    let files = "--- Tiltfile\ndocker_compose([{'services': {'a': {'image': 'x'}}}, blob('services: {}')])\n";
    let host = with_compose(files);
    assert!(
        load(&host).error_text().is_some(),
        "nothing answers for these files yet"
    );
    let (dict, blob) = ("services:\n  a:\n    image: x\n", "services: {}");
    let stored = host.stored();
    let path = |text: &str| {
        let found = stored.iter().find(|(_, stored)| stored == &text.as_bytes());
        found
            .unwrap_or_else(|| panic!("{text} is in none of {stored:?}"))
            .0
    };
    let config = format!(
        "docker compose --project-name src --project-directory /src -f {} -f {} config",
        path(dict),
        path(blob)
    );
    let host = with_compose(files).with_command(&format!("{config} --format json"), ok(ANSWER));
    let load = load(&host);
    assert_eq!(load.error_text(), None);
    assert!(
        !load.config_files.contains(path(dict)),
        "it changes only with the Tiltfile"
    );
}

#[test]
fn the_first_program_that_answers_is_compose() {
    let files = format!("--- Tiltfile\ndocker_compose('compose.yml')\n{COMPOSE_FILE}");
    let version = || ok("Docker Compose version v2.40.3\n");
    let answers = |host: MemoryHost, program: &str| {
        let config = CONFIG.replace("docker compose", program);
        host.with_command(&format!("{config} --format json"), ok(ANSWER))
    };
    let own = answers(
        MemoryHost::new(&files).with_command("my-compose version", version()),
        "my-compose",
    );
    assert_eq!(
        load(&own.with_env("TILT_DOCKER_COMPOSE_CMD", "my-compose")).error_text(),
        None
    );
    let no_plugin = MemoryHost::new(&files)
        .with_command(
            "docker compose version",
            failed("docker: unknown command: docker compose\n"),
        )
        .with_command("docker-compose version", version());
    assert_eq!(load(&answers(no_plugin, "docker-compose")).error_text(), None);
}

#[test]
fn what_is_missing_or_too_old_is_told_with_what_to_do() {
    let files = format!("--- Tiltfile\ndocker_compose('compose.yml')\n{COMPOSE_FILE}");
    assert_snapshot!(error(&MemoryHost::new(&files)), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: Unable to find Docker Compose.
    docker compose: exec: "docker": executable file not found in $PATH
    docker-compose: exec: "docker-compose": executable file not found in $PATH
      |
    1 | docker_compose('compose.yml')
      | ^^^^^^^^^^^^^^
    hint: https://docs.docker.com/compose/install/ says how to install it
    "#);
    let no_plugin = MemoryHost::new(&files).with_command(
        "docker compose version",
        failed("docker: unknown command: docker compose\n\nRun 'docker --help'\n"),
    );
    assert_snapshot!(error(&no_plugin), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: Unable to find Docker Compose.
    docker compose: docker: unknown command: docker compose
    docker-compose: exec: "docker-compose": executable file not found in $PATH
      |
    1 | docker_compose('compose.yml')
      | ^^^^^^^^^^^^^^
    hint: https://docs.docker.com/compose/install/ says how to install it
    "#);
    let own = MemoryHost::new(&files).with_env("TILT_DOCKER_COMPOSE_CMD", "podman compose");
    assert_snapshot!(error(&own), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: Unable to find Docker Compose.
    podman compose: exec: "podman compose": executable file not found in $PATH
      |
    1 | docker_compose('compose.yml')
      | ^^^^^^^^^^^^^^
    hint: TILT_DOCKER_COMPOSE_CMD must be a single program, without arguments
    "#);
    let versioned =
        |printed: &str| MemoryHost::new(&files).with_command("docker compose version", ok(printed));
    assert_snapshot!(error(&versioned("docker-compose version 1.27.4, build 4\n")), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: Tilt requires Docker Compose v1.28.3+ (you have v1.27.4). Please upgrade and re-launch Tilt.
      |
    1 | docker_compose('compose.yml')
      | ^^^^^^^^^^^^^^
    hint: https://docs.docker.com/compose/install/ says how to install it
    ");
    assert_snapshot!(error(&versioned("docker-compose version 1.29.2, build 4\n")), @r"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: Docker Compose v1.29.2 cannot print a project as JSON; v2.2.0 or newer is needed.
      |
    1 | docker_compose('compose.yml')
      | ^^^^^^^^^^^^^^
    hint: https://docs.docker.com/compose/install/ says how to install it
    ");
    let old = versioned("Docker Compose version v2.1.1\n")
        .with_command(&format!("{CONFIG} --format json"), ok(ANSWER));
    let load = load(&old);
    assert_eq!(load.error_text(), None);
    assert_snapshot!(load.warnings[0].render(), @r"
    Using Docker Compose v2.1.1 (version < 2.2) may result in errors or broken functionality.
    For best results, we recommend upgrading to Docker Compose >= v2.2.0.
    ");
}

#[test]
fn arguments_that_do_not_fit_are_told_in_tilts_words() {
    for (call, expected) in [
        ("docker_compose([])", "Nothing to compose"),
        ("docker_compose(None)", "Nothing to compose"),
        (
            "docker_compose([True])",
            "expected blob | path (string). Actual type: starlark.Bool",
        ),
        (
            "docker_compose([None])",
            "expected blob | path (string). Actual type: starlark.NoneType",
        ),
        (
            "docker_compose('compose.yml', wait='yes')",
            "docker_compose: for parameter \"wait\": expected starlark.Bool or None, got starlark.String",
        ),
        (
            "docker_compose('compose.yml', profiles=1)",
            "value should be a string or List or Tuple of strings",
        ),
        ("dc_resource('')", "dc_resource: `name` must not be empty"),
        (
            "docker_compose('compose.yml')\ndc_resource('db', image=1)",
            "image arg must be a string; got starlark.Int",
        ),
        (
            "docker_compose('compose.yml')\ndc_resource('db', image='A B')",
            "parsing A B: ",
        ),
        (
            "docker_compose('compose.yml')\ndc_resource('db', auto_init='x')",
            "expected starlark.Bool or None, got starlark.String",
        ),
        (
            "docker_compose('compose.yml')\ndc_resource('db', labels='?x')",
            "Invalid label \"?x\"",
        ),
        (
            "docker_compose('compose.yml')\ndc_resource('db', new_name='web')",
            "dc_resource named \"web\" already exists",
        ),
        (
            "local_resource('db', 'x')\ndocker_compose('compose.yml')",
            "local_resource named \"db\" already exists",
        ),
        (
            "docker_compose('compose.yml')\nlocal_resource('db', 'x')",
            "dc_resource named \"db\" already exists",
        ),
    ] {
        let text = error(&answering(call, COMPOSE_FILE, ok(ANSWER)));
        assert!(text.contains(expected), "{call}\n{text}");
        assert!(text.contains("^"), "no place for {call}\n{text}");
    }
}

#[test]
fn an_unknown_service_is_told_with_the_known_ones_and_the_nearest() {
    let unknown = |code: &str| error(&answering(code, COMPOSE_FILE, ok(ANSWER)));
    assert_snapshot!(unknown("docker_compose('compose.yml')\ndc_resource('wbe')"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:2:12: in <toplevel>
    Error in dc_resource: no Docker Compose service found with name "wbe". Found these instead:
    	db; api; web
      |
    2 | dc_resource('wbe')
      |             ^^^^^
    hint: did you mean "web"?
    "#);
    assert_snapshot!(unknown("dc_resource('web')\ndocker_compose('compose.yml')"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:12: in <toplevel>
    Error in dc_resource: no Docker Compose service found with name "web". Found these instead:
    	
      |
    1 | dc_resource('web')
      |             ^^^^^
    hint: dc_resource() comes after the docker_compose() call that has the service
    "#);
    assert_snapshot!(unknown("docker_compose('compose.yml')\ndc_resource('web', project_name='scr')"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:2:12: in <toplevel>
    Error in dc_resource: no Docker Compose service found with name "web". Found these instead:
    	
      |
    2 | dc_resource('web', project_name='scr')
      |             ^^^^^
    hint: there is no project "scr"; did you mean "src"?
    "#);
    assert_snapshot!(unknown("docker_compose('compose.yml')\ndc_resource('db', new_name='sql')\ndc_resource('db')"), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:3:12: in <toplevel>
    Error in dc_resource: no Docker Compose service found with name "db". Found these instead:
    	sql; api; web
      |
    3 | dc_resource('db')
      |             ^^^^
    hint: it was renamed to "sql"
    "#);
    let profile =
        "--- compose.yml\nservices: {shell: {image: busybox, profiles: [debug, ops]}}\n--- api/Dockerfile\n";
    let host = answering(
        "docker_compose('compose.yml')\ndc_resource('shell')",
        profile,
        ok(ANSWER),
    );
    assert_snapshot!(error(&host), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:2:12: in <toplevel>
    Error in dc_resource: no Docker Compose service found with name "shell". Found these instead:
    	db; api; web
      |
    2 | dc_resource('shell')
      |             ^^^^^^^
    hint: it is a service of the profile "debug" or "ops": docker_compose(..., profiles=[...]) makes it part of the project
    "#);
}

#[test]
fn options_of_several_calls_add_up_and_what_depends_on_a_renamed_service_follows() {
    let code = "docker_compose('compose.yml')\n\
                dc_resource('db', new_name='sql', trigger_mode=TRIGGER_MODE_MANUAL, auto_init=False)\n\
                dc_resource('sql', labels=['a'], resource_deps=['web2', 'x'])\n\
                dc_resource('web', new_name='web2', infer_links=False, links='http://x', labels='b')\n\
                dc_resource('web2', labels=['c'], links=[link('http://y')])\n\
                local_resource('x', 'true', resource_deps=['sql'])\n";
    let host = answering(code, COMPOSE_FILE, ok(ANSWER));
    let load = load(&host);
    assert!(
        load.error_text()
            .expect("a circle")
            .contains("cycle detected in resource dependency graph")
    );
    let host = answering(
        &code.replace("'web2', 'x'", "'web', 'api2'"),
        COMPOSE_FILE,
        ok(ANSWER),
    );
    assert_snapshot!(shown(&host), @r"
    sql: src/db postgres
    api: src/api src-api; builds src_api; service_started sql; after sql
    web2: src/web nginx; service_healthy api; http://x; http://y; after api
    x: true / ; after sql
    ");
    let manifests = self::load(&host).manifests.expect("it loads");
    let of = |name: &str| {
        manifests
            .iter()
            .find(|manifest| manifest.name.as_str() == name)
            .expect("it is there")
    };
    assert_eq!(of("sql").trigger_mode, TriggerMode::Manual);
    assert_eq!(of("web2").labels.iter().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn another_call_with_the_same_name_adds_to_the_project_and_keeps_what_was_said() {
    let code = "docker_compose('compose.yml')\ndc_resource('db', labels='data', new_name='sql', resource_deps=['web'])\n\
                docker_compose('more.yml')\n";
    let both = "docker compose --project-name src --project-directory /src -f /src/compose.yml -f /src/more.yml config";
    let host = answering(code, COMPOSE_FILE, ok(ANSWER)).with_command(
        &format!("{both} --format json"),
        ok(&ANSWER.replace("\"web\"", "\"page\"")),
    );
    let load = load(&host);
    assert_eq!(load.error_text(), None);
    let shown: Vec<String> = load.manifests.iter().flatten().map(describe).collect();
    assert_snapshot!(shown.join("\n"), @r"
    sql: src/db postgres
    api: src/api src-api; builds src_api; service_started sql; after sql
    page: src/page nginx; service_healthy api; http://localhost:8080/; after api
    ");
}

#[test]
fn directories_of_one_name_that_become_one_project_are_warned_about() {
    let config = |files: &str| {
        format!("docker compose --project-name dev --project-directory /src/a/dev {files} config")
    };
    let mut host =
        with_compose("--- Tiltfile\ndocker_compose('a/dev/c.yml')\ndocker_compose('b/dev/c.yml')\n");
    for files in ["-f /src/a/dev/c.yml", "-f /src/a/dev/c.yml -f /src/b/dev/c.yml"] {
        host = host.with_command(&format!("{} --format json", config(files)), ok(ANSWER));
    }
    let load = load(&host);
    assert_eq!(load.error_text(), None);
    assert_snapshot!(load.warnings[0].render(), @r#"
    docker_compose: /src/b/dev is added to project "dev" of /src/a/dev, since both directories have the same name
     --> /src/Tiltfile:2:16
      |
    2 | docker_compose('b/dev/c.yml')
      |                ^^^^^^^^^^^^^
    hint: give one of them another name with project_name=
    "#);
}

#[test]
fn profiles_come_from_the_environment_unless_they_are_given() {
    let config = CONFIG.replace(" config", " --profile ops --profile x config");
    let host = with_compose(&format!(
        "--- Tiltfile\ndocker_compose('compose.yml')\n{COMPOSE_FILE}"
    ))
    .with_command(&format!("{config} --format json"), ok(ANSWER))
    .with_env("COMPOSE_PROFILES", "ops,x");
    let (load, log) = load_with(&request(), &host);
    assert_eq!(load.error_text(), None);
    assert!(
        log.contains("Compose project \"src\" loading profiles from environment: ops,x"),
        "{log}"
    );
}

#[test]
fn images_that_nothing_uses_are_told_with_the_images_of_services() {
    let code = "docker_compose('compose.yml')\ndocker_build('ngin', '.', dockerfile_contents='FROM a')";
    let load = load(&answering(code, COMPOSE_FILE, ok(ANSWER)));
    assert_eq!(load.error_text(), None);
    assert_snapshot!(load.warnings[0].render(), @r#"
    Image not used in any Docker Compose config:
        ✕ ngin
    Did you mean…
        - nginx
    Skipping this image build
    If this is deliberate, suppress this warning with: update_settings(suppress_unused_image_warnings=["ngin"])
     --> /src/Tiltfile:2:14
      |
    2 | docker_build('ngin', '.', dockerfile_contents='FROM a')
      |              ^^^^^^
    "#);
}

#[test]
fn what_compose_cannot_have_is_refused_with_its_place() {
    let registry = "default_registry('localhost:5000')\ndocker_compose('compose.yml')";
    assert_snapshot!(error(&answering(registry, COMPOSE_FILE, ok(ANSWER))), @r"
    default_registry is not supported with docker compose
     --> /src/Tiltfile:1:1
      |
    1 | default_registry('localhost:5000')
      | ^^^^^^^^^^^^^^^^
    hint: compose runs images from the local engine; nothing is pushed for it
    ");
    let entrypoint = "docker_compose('compose.yml')\ndocker_build('nginx', '.', dockerfile_contents='FROM a', entrypoint='run')";
    assert_snapshot!(error(&answering(entrypoint, COMPOSE_FILE, ok(ANSWER))), @r"
    docker_build/custom_build.entrypoint not supported for Docker Compose resources
     --> /src/Tiltfile:2:69
      |
    2 | docker_build('nginx', '.', dockerfile_contents='FROM a', entrypoint='run')
      |                                                                     ^^^^^
    hint: write `entrypoint:` into the service of the Compose file
    ");
}

#[test]
fn a_session_of_compose_alone_needs_no_context() {
    let mut request = request();
    request.kube.name = "production".to_owned();
    request.kube.product = tilt::k8s::Product::Unknown;
    let host = answering("docker_compose('compose.yml')", COMPOSE_FILE, ok(ANSWER));
    assert_eq!(load_with(&request, &host).0.error_text(), None);
}

/// Rows of a Compose file, what compose says of it, and where that is written: line and marked text.
const COMPLAINTS: &[(&str, &str, &str)] = &[
    (
        "services:\n  a:\n    image: \"x:${\n",
        "failed to parse /src/compose.yml: yaml: line 3: found unexpected end of stream",
        "3: image: \"x:${",
    ),
    (
        "services:\n  a:\n    image: x\n    image: y\n",
        "failed to parse /src/compose.yml: line 4: mapping key \"image\" already defined at line 3",
        "4: image: y",
    ),
    (
        "services:\n  a:\n    imag: x\n",
        "validating /src/compose.yml: services.a additional properties 'imag' not allowed",
        "3: imag: x",
    ),
    (
        "services:\n  a:\n    image: x\n    environment: {A: [1]}\n",
        "validating /src/compose.yml: services.a.environment.A must be a boolean, null, number or string",
        "4: A: [1]",
    ),
    (
        "services:\n  a:\n    image: \"x:${TAG:?tag is needed}\"\n",
        "error while interpolating services.a.image: required variable TAG is missing a value: tag is needed",
        "3: image: \"x:${TAG:?tag is needed}\"",
    ),
    (
        "services:\n  a:\n    image: x\n    mem_limit: lots\n",
        "decoding failed due to the following error(s):\n\n'services[a].mem_limit' invalid size: 'lots'",
        "4: mem_limit: lots",
    ),
    (
        "services: {a: {image: x, ports: [many]}}\n",
        "invalid containerPort: many",
        "1: many",
    ),
    (
        "services:\n  a:\n    image: b\n    depends_on: [b]\n",
        "service \"a\" depends on undefined service \"b\": invalid compose project",
        "4: b",
    ),
    (
        "services:\n  a: {image: x}\n  c:\n    image: x\n    networks:\n      - n\n",
        "service \"c\" refers to undefined network n: invalid compose project",
        "6: n",
    ),
    (
        "services:\n  a: {}\n",
        "service \"a\" has neither an image nor a build context specified: invalid compose project",
        "2: a: {}",
    ),
    (
        "services:\n  a:\n    image: x\n    depends_on: [b]\n  b: {image: x, depends_on: [a]}\n",
        "dependency cycle detected: a -> b -> a",
        "4: depends_on: [b]",
    ),
    (
        "services:\n  a:\n    image: x\n    env_file: [conf/nope.env]\n",
        "env file /src/conf/nope.env not found: stat /src/conf/nope.env: no such file or directory",
        "4: nope.env",
    ),
    (
        "include: [nope.yml]\nservices: {}\n",
        "open /src/nope.yml: no such file or directory",
        "1: nope.yml",
    ),
    (
        "services:\n  a:\n    extends: {file: compose.yml, service: z}\n",
        "cannot extend service \"a\" in /src/compose.yml: service \"z\" not found in compose.yml",
        "3: z",
    ),
    (
        "services:\n  a: {image: *nope}\n",
        "failed to parse /src/compose.yml: yaml: unknown anchor 'nope' referenced",
        "2: *nope",
    ),
];

#[test]
fn what_compose_complains_about_is_marked_where_it_is_written() {
    let mut wrong = Vec::new();
    for (file, complaint, expected) in COMPLAINTS {
        let files = format!("--- compose.yml\n{file}");
        let host = answering(
            "docker_compose('compose.yml')",
            &files,
            failed(&format!("{complaint}\n")),
        );
        let load = load(&host);
        let place = load.errors[0].place.as_ref().expect("a place");
        let marked: String = place
            .source_line
            .chars()
            .skip(place.column - 1)
            .take(place.width)
            .collect();
        let found = format!("{}: {marked}", place.line);
        if place.file != "/src/compose.yml" || found != *expected {
            wrong.push(format!("{complaint}\n  {}:{found}, not {expected}", place.file));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_compose_complains_about_comes_in_tilts_words_with_a_way_out() {
    let error = |row: usize| {
        let (file, complaint, _) = COMPLAINTS[row];
        let files = format!("--- compose.yml\n{file}");
        error(&answering(
            "docker_compose('compose.yml')",
            &files,
            failed(&format!("{complaint}\n")),
        ))
    };
    assert_snapshot!(error(2), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: command ["docker" "compose" "--project-name" "src" "--project-directory" "/src" "-f" "/src/compose.yml" "config"] failed.
    error: exit status 1
    stdout: ""
    stderr: 'validating /src/compose.yml: services.a additional properties 'imag' not allowed'
     --> /src/compose.yml:3:5
      |
    3 |     imag: x
      |     ^^^^^^^
    hint: did you mean "image"?
    "#);
    assert_snapshot!(error(4), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: command ["docker" "compose" "--project-name" "src" "--project-directory" "/src" "-f" "/src/compose.yml" "config"] failed.
    error: exit status 1
    stdout: ""
    stderr: 'error while interpolating services.a.image: required variable TAG is missing a value: tag is needed'
     --> /src/compose.yml:3:5
      |
    3 |     image: "x:${TAG:?tag is needed}"
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: set TAG in the environment, in `.env` in the project's directory, or in the file of docker_compose(env_file=...)
    "#);
    assert_snapshot!(error(7), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: command ["docker" "compose" "--project-name" "src" "--project-directory" "/src" "-f" "/src/compose.yml" "config"] failed.
    error: exit status 1
    stdout: ""
    stderr: 'service "a" depends on undefined service "b": invalid compose project'
     --> /src/compose.yml:4:18
      |
    4 |     depends_on: [b]
      |                  ^
    "#);
    assert_snapshot!(error(11), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:15: in <toplevel>
    Error in docker_compose: command ["docker" "compose" "--project-name" "src" "--project-directory" "/src" "-f" "/src/compose.yml" "config"] failed.
    error: exit status 1
    stdout: ""
    stderr: 'env file /src/conf/nope.env not found: stat /src/conf/nope.env: no such file or directory'
     --> /src/compose.yml:4:21
      |
    4 |     env_file: [conf/nope.env]
      |                     ^^^^^^^^
    hint: write `{path: FILE, required: false}` where a file may be missing
    "#);
}

#[test]
fn a_name_that_compose_refuses_is_marked_in_the_tiltfile() {
    let config = CONFIG.replace("project-name src", "project-name Shop");
    let host = with_compose(&format!("--- Tiltfile\ndocker_compose('compose.yml', project_name='Shop')\n{COMPOSE_FILE}"))
        .with_command(
            &format!("{config} --format json"),
            failed("invalid project name \"Shop\": must consist only of lowercase alphanumeric characters, hyphens, and underscores\n"),
        );
    let text = error(&host);
    assert!(
        text.contains("project_name='Shop')\n  |                                            ^^^^^^"),
        "{text}"
    );
}

#[test]
fn variables_that_are_not_set_are_warned_about_at_each_load() {
    let answer = Ran {
        stderr: "time=\"2026-01-01T00:00:00Z\" level=warning msg=\"The \\\"TAG\\\" variable is not set. Defaulting to a blank string.\"\n\
                 time=\"2026-01-01T00:00:00Z\" level=warning msg=\"/src/compose.yml: the attribute `version` is obsolete, it will be ignored\"\n"
            .into(),
        ..ok(ANSWER)
    };
    let files = "--- compose.yml\nservices:\n  web: {image: \"nginx:${TAG}\"}\n--- api/Dockerfile\n";
    let session = request();
    let host = answering("docker_compose('compose.yml')", files, answer);
    let warnings = || {
        let load = load_with(&session, &host).0;
        let warnings: Vec<String> = load.warnings.iter().map(|warning| warning.render()).collect();
        warnings.join("\n\n")
    };
    let first = warnings();
    assert_snapshot!(first, @r#"
    The "TAG" variable is not set. Defaulting to a blank string.
     --> /src/compose.yml:2:23
      |
    2 |   web: {image: "nginx:${TAG}"}
      |                       ^^^^^
    hint: write ${NAME:-default} where it may be missing
    "#);
    assert_eq!(warnings(), first, "also where compose is not asked again");
}
