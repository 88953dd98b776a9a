//! A session in a terminal: the keys it has, what becomes of the terminal, and the offer of a first Tiltfile.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::commands::Folder;
use crate::support::free_port;

/// How long anything may take before a test gives up. Nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

/// A command line that runs in a terminal of its own, until it is dropped.
struct Terminal {
    child: Child,
    /// Closed at the end: `script` waits for it.
    keys: Option<ChildStdin>,
    output: mpsc::Receiver<String>,
    seen: String,
}

impl Terminal {
    /// `tilt` in the command line is the binary. `script` gives the terminal.
    fn run(folder: &Folder, line: &str) -> Self {
        let line = line.replace("tilt", env!("CARGO_BIN_EXE_tilt"));
        let tilt = folder.command(&[], &[("KUBECONFIG", "none")]);
        let variables: Vec<_> = tilt
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let mut path = std::ffi::OsString::from(folder.path("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(folder.path(""))
            .env_clear()
            .envs(variables)
            .env("PATH", path)
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is there");
        let (sender, output) = mpsc::channel();
        let mut stdout = child.stdout.take().expect("it is a pipe");
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut bytes) {
                let _ = sender.send(String::from_utf8_lossy(&bytes[..n]).into_owned());
            }
        });
        Self {
            keys: child.stdin.take(),
            child,
            output,
            seen: String::new(),
        }
    }

    /// A session whose page has any port.
    fn up(folder: &Folder) -> Self {
        Self::run(folder, "exec tilt up --port=0")
    }

    /// Reads until this was printed.
    #[track_caller]
    fn until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            match self.output.recv_timeout(LIMIT) {
                Ok(more) => self.seen.push_str(&more),
                Err(_) => panic!("{text:?} was not printed:\n{}", self.seen),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.keys.as_mut().expect("it is a pipe");
        stdin.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits for the end; returns its code and all that was printed.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.keys.take());
        let code = self.child.wait().expect("it ends").code();
        while let Ok(more) = self.output.recv_timeout(LIMIT) {
            self.seen.push_str(&more);
        }
        (code, std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a folder in which the opener of browsers writes down what it is asked to open.
fn with_browser(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(files);
    let opener = folder.path("bin/xdg-open");
    std::fs::create_dir(folder.path("bin")).expect("a folder");
    std::fs::write(&opener, "#!/bin/sh\necho \"$1\" >opened\n").expect("a file");
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

#[test]
fn space_opens_the_page_and_the_terminal_is_as_it_was_afterwards() {
    let port = free_port();
    let folder = with_browser(&[(
        "Tiltfile",
        "local_resource('a', 'until test -s opened; do sleep .02; done; echo opened $(cat opened)')\n",
    )]);
    let mut terminal = Terminal::run(
        &folder,
        &format!("trap : INT; tilt up --port={port}; echo ended with $?; stty -a"),
    );
    terminal.until("(space) to open the browser");
    terminal.until("Successfully loaded Tiltfile");
    // Other keys say nothing, and nothing that is typed is shown.
    terminal.press("zq ");
    terminal.until(&format!("Opening browser: http://localhost:{port}/"));
    terminal.until(&format!("opened http://localhost:{port}/"));
    terminal.press("\u{3}");
    let (code, printed) = terminal.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("ended with 0"), "{printed}");
    assert!(!printed.contains("zq"), "what is typed is not shown:\n{printed}");
    let modes: Vec<&str> = printed.split_whitespace().collect();
    assert!(modes.contains(&"icanon") && modes.contains(&"echo"), "{printed}");
}

#[test]
fn no_keys_are_named_where_there_is_no_page_or_nobody_to_press_them() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    let mut terminal = Terminal::up(&folder);
    terminal.until("Successfully loaded Tiltfile");
    terminal.press("\u{3}");
    assert!(!terminal.end().1.contains("(space)"));
    let mut terminal = Terminal::run(
        &folder,
        &format!("exec tilt up --port={} </dev/null", free_port()),
    );
    terminal.until("Successfully loaded Tiltfile");
    terminal.press("\u{3}");
    assert!(!terminal.end().1.contains("(space)"));
}

#[test]
fn a_first_tiltfile_is_offered_and_written() {
    let folder = Folder::new(&[]);
    let mut terminal = Terminal::up(&folder);
    terminal.until("No Tiltfile found at");
    terminal.until("(y/n)");
    // What is neither yes nor no is asked again.
    terminal.press("perhaps\n");
    terminal.press("Yes\n");
    terminal.until("This Tiltfile deploys nothing yet");
    terminal.press("\u{3}");
    let (code, printed) = terminal.end();
    assert_eq!(code, Some(0));
    assert_eq!(printed.matches("(y/n)").count(), 2, "{printed}");
    let written = std::fs::read_to_string(folder.path("Tiltfile")).expect("it was written");
    assert!(written.contains("# docker_build("));
}

#[test]
fn without_a_first_tiltfile_it_starts_and_waits_for_one_or_ends() {
    let folder = Folder::new(&[]);
    let mut terminal = Terminal::up(&folder);
    terminal.until("(y/n)");
    terminal.press("n\n");
    terminal.until("No Tiltfile found at paths");
    std::fs::write(folder.path("Tiltfile"), "print('it is there')\n").expect("a file");
    terminal.until("it is there");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().0, Some(0));
    for leave in ["\u{3}", "\u{4}"] {
        let folder = Folder::new(&[]);
        let mut terminal = Terminal::up(&folder);
        terminal.until("(y/n)");
        terminal.press(leave);
        let (code, printed) = terminal.end();
        assert_eq!(code, Some(0), "{printed}");
        assert!(!printed.contains("Tilt started"), "{printed}");
        assert!(!folder.path("Tiltfile").exists());
    }
}

#[test]
fn a_directory_is_no_tiltfile() {
    let folder = Folder::new(&[]);
    std::fs::create_dir(folder.path("Tiltfile")).expect("a folder");
    let ran = folder.tilt(&["up"], &[("KUBECONFIG", "none")]);
    let printed = ran.status(1).stderr();
    assert!(
        printed.contains("could not open Tiltfile at") && printed.contains("target is a directory"),
        "{printed}"
    );
}
