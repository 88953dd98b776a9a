//! Compose projects as teams write them, on the real engine: each is started, somebody edits a file, and what follows is what
//! the edit means, and no more.

use crate::compose_shop::Shop;
use crate::support::eventually;

#[test]
fn an_edit_of_a_database_replaces_it_and_starts_what_follows_it_again() {
    let shop = Shop::with_files(
        "store",
        "
--- compose.yml
x-patient: &patient
  image: IMAGE
  stop_grace_period: 0s
services:
  db:
    <<: *patient
    command: [sh, -c, 'mkdir -p /data; sleep 0.5; touch /data/ready; exec sleep 1000']
    environment: {LIMIT: '10'}
    volumes: ['data:/data']
    healthcheck: {test: [CMD, test, -e, /data/ready], interval: 200ms, retries: 50}
  api:
    <<: *patient
    command: [sh, -c, 'echo the door opens; exec sleep 1000']
    depends_on: {db: {condition: service_healthy, restart: true}}
  worker:
    <<: *patient
    command: [sh, -c, 'exec sleep 1000']
    depends_on: [db]
volumes: {data: {}}
",
    );
    let mut up = shop.project().up();
    up.wait_for_all(&[("db │", "DONE IN"), ("api │", "DONE IN"), ("worker │", "DONE IN")]);
    let (db, api, worker) = (shop.id("db"), shop.started("api"), shop.started("worker"));
    shop.edit("compose.yml", "'10'", "'20'");
    eventually("the database is another one", || {
        shop.inside("db", "echo $LIMIT") == "20"
    });
    assert_ne!(shop.id("db"), db);
    eventually("what follows it was started again", || shop.started("api") != api);
    assert_eq!(
        shop.started("worker"),
        worker,
        "it only needs the database at its start"
    );
}

#[test]
fn a_migration_that_is_edited_runs_again_and_the_page_that_needed_it_stays() {
    let shop = Shop::with_files(
        "migration",
        "
--- compose.yml
services:
  migrate:
    image: IMAGE
    command: [sh, -c, 'echo column one > /shared/schema']
    volumes: ['shared:/shared']
  page:
    image: IMAGE
    stop_grace_period: 0s
    command: [sh, -c, 'cat /shared/schema; exec sleep 1000']
    volumes: ['shared:/shared']
    depends_on: {migrate: {condition: service_completed_successfully}}
volumes: {shared: {}}
",
    );
    let mut up = shop.project().up();
    up.wait_for("page │ column one");
    let page = shop.id("page");
    shop.edit("compose.yml", "column one", "column two");
    eventually("the migration ran again", || {
        shop.inside("page", "cat /shared/schema") == "column two"
    });
    assert_eq!(shop.id("page"), page);
    drop(up);
    shop.edit(
        "compose.yml",
        "echo column two > /shared/schema",
        "echo the disk is full; exit 7",
    );
    let ended = shop.ci();
    assert_eq!(ended.status, Some(1), "{}", ended.text);
    assert!(
        ended
            .text
            .contains("migrate: container <ns>-migrate-1 exited with 7"),
        "{}",
        ended.text
    );
}

#[test]
fn an_override_that_is_edited_replaces_only_the_service_that_it_is_about() {
    let shop = Shop::with_files(
        "override",
        "
--- Tiltfile
docker_compose(['deploy/base.yml', 'deploy/dev.yml'], env_file='dev.env', project_name='PROJECT', profiles=['tools'])
--- deploy/base.yml
services:
  api:
    image: ${WHERE}/busybox:1
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
    environment: {LEVEL: info}
  ledger:
    extends: {file: common/base.yml, service: patient}
    image: IMAGE
  shell:
    image: IMAGE
    profiles: [tools]
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
  never:
    image: nowhere.invalid/never
    profiles: [other]
--- deploy/common/base.yml
services:
  patient:
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
--- deploy/dev.yml
services:
  api: {environment: {LEVEL: debug}}
--- dev.env
WHERE=localhost:5000
",
    );
    let mut up = shop.project().up();
    up.wait_for_all(&[
        ("api │", "DONE IN"),
        ("ledger │", "DONE IN"),
        ("shell │", "DONE IN"),
    ]);
    assert_eq!(shop.inside("api", "echo $LEVEL"), "debug");
    let (ledger, shell) = (shop.id("ledger"), shop.id("shell"));
    shop.edit("deploy/dev.yml", "debug", "trace");
    eventually("the override counts", || {
        shop.inside("api", "echo $LEVEL") == "trace"
    });
    assert_eq!(
        (shop.id("ledger"), shop.id("shell")),
        (ledger.clone(), shell.clone())
    );
    let api = shop.id("api");
    shop.edit("deploy/common/base.yml", "sleep 1000", "sleep 2000");
    eventually("what it extends counts", || {
        !["", ledger.as_str()].contains(&shop.id("ledger").as_str())
    });
    shop.edit("Tiltfile", "['tools']", "[]");
    eventually("a service of no profile is gone", || shop.id("shell").is_empty());
    assert_eq!(shop.id("api"), api);
}

#[test]
fn secrets_configurations_and_networks_reach_containers_and_who_leaves_a_network_is_replaced() {
    let shop = Shop::with_files(
        "vault",
        "
--- compose.yml
services:
  proxy:
    image: IMAGE
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
    networks: [front, back]
    configs: [{source: site, target: /etc/site.conf}]
  app:
    image: IMAGE
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
    networks: {back: {aliases: [backend]}}
    secrets: [password, {source: token, target: api-token}]
networks: {front: {}, back: {internal: true}}
configs: {site: {content: 'listen 80'}}
secrets:
  password: {file: ./password}
  token: {environment: HOME}
--- password
hunter2
",
    );
    let mut up = shop.project().up();
    up.wait_for_all(&[("proxy │", "DONE IN"), ("app │", "DONE IN")]);
    assert_eq!(shop.inside("proxy", "cat /etc/site.conf"), "listen 80");
    assert_eq!(shop.inside("app", "cat /run/secrets/password"), "hunter2");
    assert!(!shop.inside("app", "cat /run/secrets/api-token").is_empty());
    assert_eq!(
        shop.inside("proxy", "ping -c 1 -W 2 backend >/dev/null && echo there"),
        "there"
    );
    let app = shop.id("app");
    shop.edit("compose.yml", "listen 80", "listen 81");
    eventually("the other text is in the container", || {
        shop.inside("proxy", "cat /etc/site.conf") == "listen 81"
    });
    assert_eq!(shop.id("app"), app, "who does not use it stays");
    shop.edit("compose.yml", "networks: [front, back]", "networks: [front]");
    eventually("it is in one network", || {
        let look = "ping -c 1 -W 2 backend >/dev/null 2>&1 || echo alone";
        shop.inside("proxy", look) == "alone"
    });
    assert_eq!(shop.inside("proxy", "cat /etc/site.conf"), "listen 81");
    assert_eq!(shop.id("app"), app);
}

#[test]
fn what_compose_builds_is_built_again_after_an_edit_of_a_source_or_of_the_dockerfile() {
    let shop = Shop::with_files(
        "press",
        "
--- compose.yml
x-app: &app
  image: PROJECT-app
  build: {context: app, args: [EDITION=first]}
  stop_grace_period: 0s
services:
  web:
    <<: *app
    command: [sh, -c, 'cat /page; exec sleep 1000']
  idle: {image: IMAGE, stop_grace_period: 0s, command: [sh, -c, 'exec sleep 1000']}
--- app/Dockerfile
FROM IMAGE
ARG EDITION
COPY page /page
RUN echo $EDITION > /edition
--- app/page
a page
--- app/.dockerignore
notes
",
    );
    let mut up = shop.project().up();
    up.wait_for("web │ a page");
    let idle = shop.id("idle");
    shop.project().write("app/page", "another page\n");
    up.wait_for("web │ another page");
    shop.edit("app/Dockerfile", "echo $EDITION", "echo special $EDITION");
    eventually("it is built as the Dockerfile says", || {
        shop.inside("web", "cat /edition") == "special first"
    });
    shop.edit("compose.yml", "EDITION=first", "EDITION=second");
    eventually("it is built as the file says", || {
        shop.inside("web", "cat /edition") == "special second"
    });
    let web = shop.id("web");
    shop.project().write("app/notes", "ignored\n");
    shop.project().write("app/page", "the last page\n");
    up.wait_for("web │ the last page");
    assert_ne!(shop.id("web"), web);
    assert_eq!(shop.id("idle"), idle);
}

#[test]
fn a_live_update_restarts_the_container_and_leaves_a_mounted_folder_alone() {
    let shop = Shop::with_files(
        "mounted",
        "
--- Tiltfile
docker_compose('compose.yml', project_name='PROJECT')
docker_build('PROJECT-site', '.', live_update=[sync('.', '/site'), run('date +%s%N > /ran', trigger='page'), restart_container()])
--- compose.yml
services:
  site:
    image: PROJECT-site
    stop_grace_period: 0s
    volumes: ['./assets:/site/assets']
--- Dockerfile
FROM IMAGE
COPY . /site
CMD [\"sh\", \"-c\", \"cat /site/page; exec sleep 1000\"]
--- page
one
--- assets/logo
round
",
    );
    let mut up = shop.project().up();
    up.wait_for("site │ one");
    let (id, started) = (shop.id("site"), shop.started("site"));
    shop.project().write("assets/logo", "square\n");
    eventually("the mount shows it", || {
        shop.inside("site", "cat /site/assets/logo") == "square"
    });
    shop.project().write("page", "two\n");
    up.wait_for("site │ two");
    assert_eq!(shop.id("site"), id);
    assert_ne!(shop.started("site"), started);
    assert!(!shop.inside("site", "cat /ran").is_empty());
    assert_eq!(
        std::fs::read_to_string(shop.project().dir().join("assets/logo")).expect("a file"),
        "square\n"
    );
}

#[test]
fn what_somebody_does_to_a_container_by_hand_is_shown_and_the_next_edit_is_in_one_that_runs() {
    let shop = Shop::with_files(
        "byhand",
        "
--- Tiltfile
docker_compose('compose.yml', project_name='PROJECT')
docker_build('PROJECT-page', '.', only=['site'], dockerfile='Dockerfile', live_update=[sync('site', '/site')])
--- compose.yml
services:
  page:
    image: PROJECT-page
    stop_grace_period: 0s
    volumes: ['data:/data']
volumes: {data: {}}
--- Dockerfile
FROM IMAGE
COPY site /site
CMD [\"sh\", \"-c\", \"echo run >> /data/runs; echo run $(wc -l < /data/runs) with $(cat /site/page); exec sleep 1000\"]
--- site/page
edit 0
",
    );
    let mut up = shop.project().up();
    up.wait_for("page │ run 1 with edit 0");
    eventually("it is well", || shop.runtime("page") == "ok");
    let page = shop.container("page");
    let has = |edit: &str| shop.inside("page", "cat /site/page") == edit;
    for (at, act) in [&["stop", "-t", "0"][..], &["rm", "-f"], &["kill"]]
        .into_iter()
        .enumerate()
    {
        let edit = format!("edit {}", at + 1);
        shop.docker(&[act, &[&page]].concat());
        eventually("its end is seen", || shop.runtime("page") == "error");
        shop.project().write("site/page", &format!("{edit}\n"));
        up.wait_for(&format!("page │ run {} with {edit}", at + 2));
        assert!(has(&edit), "after {act:?}");
        eventually("it is well again", || shop.runtime("page") == "ok");
    }
    let id = shop.id("page");
    shop.docker(&["restart", "-t", "0", &page]);
    up.wait_for("page │ run 5 with edit 3");
    eventually("a restart leads to nothing else", || shop.runtime("page") == "ok");
    shop.docker(&["pause", &page]);
    eventually("it is seen to be paused", || shop.runtime("page") == "pending");
    shop.project().write("site/page", "edit 4\n");
    std::thread::sleep(std::time::Duration::from_millis(500));
    shop.docker(&["unpause", &page]);
    eventually("what was saved meanwhile is there", || has("edit 4"));
    eventually("it goes on", || shop.runtime("page") == "ok");
    assert_eq!(shop.id("page"), id, "neither makes another container");
    assert_eq!(
        shop.inside("page", "wc -l < /data/runs"),
        "5",
        "and the volume is the same"
    );
}

#[test]
fn a_service_that_moves_to_another_file_goes_on_running_and_follows_that_file() {
    let shop = Shop::with_files(
        "files",
        "
--- Tiltfile
docker_compose('compose.yml', project_name='PROJECT')
--- compose.yml
services:
  clock: {image: IMAGE, stop_grace_period: 0s, command: [sh, -c, 'exec sleep 1000']}
--- more.yml
services:
  bell: {image: IMAGE, stop_grace_period: 0s, command: [sh, -c, 'exec sleep 1000']}
",
    );
    let mut up = shop.project().up();
    up.wait_for("clock │      DONE IN");
    let clock = shop.id("clock");
    shop.edit("Tiltfile", "'compose.yml'", "['compose.yml', 'more.yml']");
    up.wait_for("bell │      DONE IN");
    assert_eq!(shop.id("clock"), clock);
    let text = std::fs::read_to_string(shop.project().dir().join("compose.yml")).expect("a file");
    shop.project().write("other.yml", &text);
    shop.edit(
        "Tiltfile",
        "['compose.yml', 'more.yml']",
        "['other.yml', 'more.yml']",
    );
    up.wait_for("Successfully loaded Tiltfile");
    shop.edit("other.yml", "command", "environment: {HOUR: '12'}, command");
    eventually("the clock is as its new file says", || {
        shop.inside("clock", "echo $HOUR") == "12"
    });
    assert_ne!(shop.id("clock"), clock);
}

#[test]
fn a_service_in_the_network_of_another_one_goes_on_in_the_network_of_what_replaces_that() {
    let shop = Shop::with_files(
        "sidecar",
        "
--- Tiltfile
docker_compose('compose.yml', project_name='PROJECT')
--- compose.yml
services:
  gate:
    image: IMAGE
    stop_grace_period: 0s
    environment: {SIGN: 'open'}
    command: [sh, -c, 'mkdir /w; echo $$SIGN > /w/sign; exec httpd -f -p 80 -h /w']
  guard:
    image: IMAGE
    stop_grace_period: 0s
    network_mode: 'service:gate'
    command: [sh, -c, 'exec sleep 1000']
",
    );
    let mut up = shop.project().up();
    up.wait_for_all(&[("gate │", "DONE IN"), ("guard │", "DONE IN")]);
    let sign = || shop.inside("guard", "wget -qO- http://127.0.0.1/sign");
    eventually("the guard reads the sign", || sign() == "open");
    shop.edit("compose.yml", "'open'", "'shut'");
    eventually("the guard reads the new sign", || sign() == "shut");
    eventually("it is well", || shop.runtime("guard") == "ok");
}
