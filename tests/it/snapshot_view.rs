//! `tilt snapshot view`: the page with a file, until a signal.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Folder;

const SNAPSHOT: &str = "{\"view\": {\"uiResources\": []}, \"createdAt\": \"2027-01-15T08:00:00Z\"}";

/// A page that is served until it is dropped, and what was printed at its start.
struct Page {
    child: Child,
    said: Vec<String>,
    out: BufReader<std::process::ChildStdout>,
}

impl Page {
    fn open(folder: &Folder, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Self {
        let mut child = folder
            .command(&[&["snapshot", "view"], args].concat(), env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(stdin.as_bytes()).expect("it reads");
        drop(input);
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
            line.trim_end().to_owned()
        };
        let said = vec![line(), line()];
        Self { child, said, out }
    }

    fn address(&self) -> &str {
        let address = self.said[0].strip_prefix("Serving snapshot at http://");
        address.expect("it says where")
    }

    fn get(&self, path: &str) -> String {
        let (host, _) = self.address().split_once('/').expect("a path");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }

    /// Asks it to stop; returns its exit status, and what else it had to say.
    fn stop(mut self) -> (Option<i32>, String) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("it lives");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("text");
        let mut errors = self.child.stderr.take().expect("a pipe");
        errors.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_it_serves_and_serves_the_file_until_a_signal() {
    let folder = Folder::new(&[("s.json", SNAPSHOT)]);
    let page = Page::open(&folder, &["s.json", "--no-open"], &[], "");
    assert!(page.address().starts_with("localhost:"), "{:?}", page.said);
    assert!(page.address().ends_with("/snapshot/local"), "{:?}", page.said);
    assert_eq!(page.said[1], "Press Ctrl-C to exit");
    assert!(page.get("/api/snapshot/local").ends_with(SNAPSHOT));
    assert!(page.get("/snapshot/local").starts_with("HTTP/1.1 200"));
    assert!(
        page.get("/api/view").starts_with("HTTP/1.1 404"),
        "there is no session"
    );
    assert_eq!(page.stop(), (Some(0), String::new()));
}

#[test]
fn standard_input_is_a_file_too() {
    let page = Page::open(&Folder::new(&[]), &["-", "--no-open"], &[], SNAPSHOT);
    assert!(page.get("/api/snapshot/local").ends_with(SNAPSHOT));
}

#[test]
fn a_browser_is_opened_with_the_address() {
    // Whoever opens says what it was given; a pipe waits for that.
    let folder = Folder::new(&[
        ("s.json", SNAPSHOT),
        ("xdg-open", "#!/bin/sh\necho \"$1\" >opened\n"),
    ]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("xdg-open"), executable).expect("a file of ours");
    let opened = folder.path("opened");
    nix::unistd::mkfifo(&opened, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let path = format!("{}:/usr/bin:/bin", folder.path("").display());
    let page = Page::open(&folder, &["s.json"], &[("PATH", &path)], "");
    let address = std::fs::read_to_string(&opened).expect("it is opened");
    assert_eq!(address.trim(), format!("http://{}", page.address()));
}

#[test]
fn without_a_browser_it_serves_all_the_same() {
    let folder = Folder::new(&[("s.json", SNAPSHOT)]);
    let nothing = folder.path("").display().to_string();
    let mut page = Page::open(&folder, &["s.json"], &[("PATH", &nothing)], "");
    assert!(page.get("/api/snapshot/local").ends_with(SNAPSHOT));
    let mut errors = BufReader::new(page.child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    errors.read_line(&mut said).expect("a line");
    assert!(
        said.starts_with("No browser could be opened (there is none of "),
        "{said}"
    );
    assert!(said.trim_end().ends_with("open the address above."), "{said}");
}

#[test]
fn what_is_no_snapshot_is_named() {
    let folder = Folder::new(&[("text", "hello"), ("other.json", "{\"a\": 1}")]);
    let rows = [
        (
            "nowhere.json",
            "Error: cannot read nowhere.json: No such file or directory (os error 2)",
        ),
        (
            "text",
            "Error: text is no snapshot: expected value at line 1 column 1",
        ),
        (
            "other.json",
            "Error: other.json is no snapshot: it has no \"view\"",
        ),
    ];
    for (file, error) in rows {
        let ran = folder.tilt(&["snapshot", "view", file, "--no-open"], &[]);
        assert_eq!(ran.status(1).stderr(), error);
    }
}
