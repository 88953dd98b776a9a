//! Flags as scripts write them, output that cannot be written, and secrets in what is printed at the end.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::process::Stdio;

use crate::commands::Folder;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];

#[test]
fn flags_that_are_on_or_off_take_a_value_and_old_flags_are_accepted_everywhere() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    for args in [
        &["ci", "--fail-fast=false", "--klog=1", "--webdev-port=0"][..],
        &["ci", "--debug=false", "-v=true", "--klog", "2"],
        &["down", "--delete-namespaces=true", "--klog=1", "--webdev-port=0"],
        &[
            "alpha",
            "tiltfile-result",
            "--builtin-timings=false",
            "--webdev-port=0",
        ],
        &["version", "--klog=1", "--webdev-port=0"],
        &["verify-install", "--klog=1"],
    ] {
        folder.tilt(args, &NO_CLUSTER).status(0);
    }
    let ran = folder.tilt(&["up", "--legacy=perhaps"], &NO_CLUSTER);
    assert_eq!(
        ran.status(1).stderr(),
        "Error: invalid argument \"perhaps\" for \"--legacy\" flag: strconv.ParseBool: parsing \"perhaps\": invalid syntax"
    );
}

#[test]
fn checking_the_installation_prints_nothing_and_succeeds() {
    let ran = Folder::new(&[]).tilt(&["verify-install"], &[]);
    ran.status(0);
    assert_eq!((ran.stdout().as_str(), ran.stderr().as_str()), ("", ""));
}

#[test]
fn a_full_disk_is_an_error_and_a_reader_that_has_seen_enough_is_none() {
    let folder = Folder::new(&[]);
    for args in [
        &["version"][..],
        &["completion", "bash"],
        &["explain", "cmd"],
        &["dump", "openapi"],
        &["ci", "--help"],
        &[],
    ] {
        let full = std::fs::File::create("/dev/full").expect("a device");
        let ran = folder
            .command(args, &[])
            .stdout(full)
            .output()
            .expect("the binary runs");
        let error = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{args:?}\n{error}");
        assert!(
            error
                .to_lowercase()
                .starts_with("error: cannot write to standard output: "),
            "{args:?}\n{error}"
        );

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = folder.command(args, &[]);
        let ran = command
            .stdout(Stdio::from(writer))
            .output()
            .expect("the binary runs");
        assert_eq!(ran.status.code(), Some(0), "{args:?}");
    }
}

const SECRET: &str = "{kind: Secret, apiVersion: v1, metadata: {name: s}, stringData: {k: hunter2hunter2}}";

#[test]
fn secrets_are_not_in_what_a_look_at_a_tiltfile_prints() {
    let tiltfile = format!("k8s_yaml(blob('{SECRET}'))\nprint('it is hunter2hunter2')\n");
    let folder = Folder::new(&[("Tiltfile", &tiltfile)]);
    let ran = folder.tilt(&["alpha", "tiltfile-result", "-v"], &NO_CLUSTER);
    ran.status(0);
    assert!(
        ran.stderr().contains("it is [redacted secret s:k]"),
        "{}",
        ran.stderr()
    );

    let failing = format!("{tiltfile}fail('no hunter2hunter2')\n");
    let folder = Folder::new(&[("Tiltfile", &failing)]);
    for command in [&["alpha", "tiltfile-result"][..], &["down"]] {
        let ran = folder.tilt(command, &NO_CLUSTER);
        assert!(
            ran.stderr().contains("no [redacted secret s:k]"),
            "{}",
            ran.stderr()
        );
        assert!(!ran.stderr().contains("hunter2"), "{}", ran.stderr());
    }
}

#[test]
fn a_resource_that_waits_for_one_which_nothing_starts_ends_a_run_at_once() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', 'echo a', auto_init=False)\n\
         local_resource('b', 'echo b', resource_deps=['a'])\n\
         local_resource('c', 'echo c', resource_deps=['b'])\n\
         local_resource('d', 'echo d runs')\n",
    )]);
    let ran = folder.tilt(&["ci", "--timeout=20s"], &NO_CLUSTER);
    ran.status(1);
    assert!(ran.stdout().contains("d runs"), "{}", ran.stdout());
    insta::assert_snapshot!(ran.stderr(), @r#"
    Error: b waits for a, which has auto_init=False: nothing starts it in tilt ci
    hint: give it auto_init=(config.tilt_subcommand == 'ci'), or leave it out of resource_deps there
    "#);
}

#[test]
fn an_engine_whose_certificates_are_missing_is_named() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "docker_build('web', '.', dockerfile_contents='FROM scratch')\n\
             k8s_yaml(blob('{kind: Pod, apiVersion: v1, metadata: {name: web}, \
             spec: {containers: [{name: web, image: web}]}}'))\n",
    )]);
    // A socket has no use for them; docker wants them there all the same.
    for host in ["tcp://127.0.0.1:9", ""] {
        let env = [
            ("KUBECONFIG", "none"),
            ("DOCKER_HOST", host),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", "/nowhere"),
        ];
        let ran = folder.tilt(&["ci"], &env);
        ran.status(1);
        let expected = "unable to resolve docker endpoint: open /nowhere/ca.pem: no such file or directory";
        assert!(ran.stderr().contains(expected), "{host}: {}", ran.stderr());
    }
}

#[test]
fn what_is_passed_over_stays_so_after_a_load_that_failed() {
    let folder = Folder::new(&[
        (".tiltignore", "b.txt\n"),
        (
            "Tiltfile",
            "watch_settings(ignore=['a.txt'])\nlocal('date +%N >a.txt; date +%N >b.txt; echo x >>count')\n\
             read_file('a.txt')\nread_file('b.txt')\nfail('no')\n",
        ),
    ]);
    let mut up = crate::local_resources::Up::start_with(&folder, &["up", "--stream"], &NO_CLUSTER);
    up.wait_for("no");
    std::fs::write(
        folder.path("Tiltfile"),
        "local_resource('a', 'echo loads: $(wc -l <count)')\n",
    )
    .expect("a file");
    up.wait_for("loads: 1");
    up.stop();
}
