//! `tilt await` after random edits: each answer is right for the disk at the moment of the question.
//!
//! A real session of local resources, whose commands are the files that are edited: what each of them says and how it ends is known.
//! The suite plays 100 rounds; `AWAIT_EDITS=1000 cargo test --test it await_edits -- --nocapture` plays more and tells how long
//! they took.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sessions::Session;
use crate::support::free_port;

/// Asks the port of a session's page as its commands do.
pub(crate) struct Http {
    port: String,
    token: String,
}

impl Http {
    pub(crate) fn of(session: &Session, port: &str) -> Self {
        let token = std::fs::read_to_string(session.folder.path(".tilt-dev/token"));
        Self {
            port: port.to_owned(),
            token: token.expect("a command has asked before").trim().to_owned(),
        }
    }

    /// Returns the status and the body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(format!("localhost:{}", self.port)).expect("it listens");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a limit");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nX-Tilt-Token: {}\r\nContent-Type: application/json\r\nContent-Length: \
             {}\r\nConnection: close\r\n\r\n",
            self.port,
            self.token,
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}

/// How many resources there are.
const RESOURCES: usize = 6;
/// Resources that this many from the end on belong to one file together.
const SHARED: usize = 2;

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// What is on the disk.
struct Disk<'a> {
    session: &'a Session,
    /// What the command of each resource says, and whether it succeeds.
    files: Vec<(usize, bool)>,
    /// How often the Tiltfile was changed, and whether it can be loaded.
    tiltfile: (usize, bool),
    last: usize,
}

impl Disk<'_> {
    fn name(resource: usize) -> String {
        match resource >= RESOURCES - SHARED {
            true => "shared".to_owned(),
            false => format!("f{resource}"),
        }
    }

    fn tiltfile_text((edit, is_good): (usize, bool)) -> String {
        let resources: String = (0..RESOURCES)
            .map(|n| {
                format!(
                    "local_resource('r{n}', 'sh {file}', deps=['{file}'], allow_parallel={parallel})\n",
                    file = Self::name(n),
                    parallel = if n % 2 == 0 { "True" } else { "False" }
                )
            })
            .collect();
        let end = if is_good { "" } else { "fail('broken')\n" };
        format!("# {edit}\nupdate_settings(max_parallel_updates=3)\n{resources}{end}")
    }

    /// Changes one thing in one of the ways in which editors do; returns the resource that it belongs to, unless it is the Tiltfile.
    fn edit(&mut self, dice: &mut Dice) -> Option<usize> {
        self.last += 1;
        if dice.below(12) == 0 {
            self.tiltfile = (self.last, dice.below(3) > 0);
            let text = Self::tiltfile_text(self.tiltfile);
            std::fs::write(self.session.folder.path("Tiltfile"), text).expect("written");
            return None;
        }
        let resource = dice.below(RESOURCES);
        let is_good = dice.below(3) > 0;
        let name = Self::name(resource);
        for n in (0..RESOURCES).filter(|n| Self::name(*n) == name) {
            self.files[n] = (self.last, is_good);
        }
        let text = format!("echo edit {} end; exit {}\n", self.last, i32::from(!is_good));
        let path = self.session.folder.path(&name);
        match dice.below(4) {
            0 => {
                let swap = self.session.folder.path(&format!(".{name}.swp"));
                std::fs::write(&swap, text).expect("written");
                std::fs::rename(swap, path).expect("renamed");
            }
            1 => {
                std::fs::remove_file(&path).expect("it was there");
                std::fs::write(path, text).expect("written");
            }
            2 => {
                // In two parts, the first of which is a whole file, too.
                std::fs::write(&path, format!("echo edit 0 end; exit {}\n", dice.below(2))).expect("written");
                std::fs::write(path, text).expect("written");
            }
            _ => std::fs::write(path, text).expect("written"),
        }
        Some(resource)
    }

    /// Expects that an answer is about the disk as it is.
    fn check(&self, round: usize, asked: &Value, answer: &Value) {
        let fail = |why: String| -> ! {
            panic!(
                "round {round}, edit {}: {why}\nasked: {asked}\nanswered: {answer:#}",
                self.last
            )
        };
        let told = answer["resources"].as_array().expect("a list");
        let names: BTreeSet<&str> = told.iter().filter_map(|told| told["name"].as_str()).collect();
        let mut all_well = true;
        for told in told {
            let name = told["name"].as_str().expect("a name");
            let (result, is_good) = match name.strip_prefix('r').and_then(|n| n.parse::<usize>().ok()) {
                None => (&told["result"], self.tiltfile.1),
                Some(n) => {
                    let (edit, is_good) = self.files[n];
                    let lines = told["lines"].as_array().expect("lines");
                    let said = lines
                        .iter()
                        .filter_map(Value::as_str)
                        .rfind(|line| line.starts_with("edit "));
                    if said != Some(&*format!("edit {edit} end")) {
                        fail(format!("{name} says {said:?}, its file says {edit}"));
                    }
                    (&told["result"], is_good)
                }
            };
            if *result != json!(if is_good { "ok" } else { "failed" }) {
                fail(format!("{name} is {result}"));
            }
            all_well &= is_good;
        }
        if answer["ok"] != all_well {
            fail("ok is wrong".to_owned());
        }
        if names.contains("(Tiltfile)") == (asked["resources"].is_array() && self.tiltfile.1) {
            fail("the Tiltfile is told of where it is not asked for, or not where it is".to_owned());
        }
        for name in asked["resources"].as_array().into_iter().flatten() {
            if !names.contains(name.as_str().expect("a name")) {
                fail(format!("{name} is missing"));
            }
        }
    }
}

#[test]
fn every_answer_is_about_the_disk_at_the_moment_of_the_question() {
    let rounds = std::env::var("AWAIT_EDITS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100);
    let seed = std::env::var("AWAIT_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(7);
    let port = free_port().to_string();
    let tiltfile = Disk::tiltfile_text((0, true));
    let mut files: Vec<(String, String)> = vec![("Tiltfile".to_owned(), tiltfile)];
    files.extend((0..RESOURCES).map(|n| (Disk::name(n), "echo edit 0 end\n".to_owned())));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let session = Session::start_with(&files, &[("TILT_PORT", &port)]);
    session.tilt(&["await", "--port", &port]).status(0);
    let http = Http::of(&session, &port);
    let mut disk = Disk {
        session: &session,
        files: vec![(0, true); RESOURCES],
        tiltfile: (0, true),
        last: 0,
    };
    let mut dice = Dice(seed);
    let begun = Instant::now();
    for round in 0..rounds {
        let edits = dice.below(4);
        let edited: Vec<Option<usize>> = (0..edits).map(|_| disk.edit(&mut dice)).collect();
        let asked = match (dice.below(3), edited.last()) {
            // One that was edited, or any.
            (0, last) => {
                let resource = last.copied().flatten().unwrap_or_else(|| dice.below(RESOURCES));
                json!({"resources": [format!("r{resource}")], "lines": 20})
            }
            _ => json!({"lines": 20}),
        };
        let (status, body) = http.ask("POST", "/api/await", &asked.to_string());
        assert_eq!(status, 200, "round {round}: {body}");
        disk.check(round, &asked, &serde_json::from_str(&body).expect("JSON"));
    }
    let took = begun.elapsed();
    #[allow(clippy::print_stdout, reason = "how long they took is asked for")]
    {
        println!(
            "{rounds} rounds, {} edits, all answers right, in {took:.1?}",
            disk.last
        );
    }
}
