//! A build context as a tar, for engines without BuildKit.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::Stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::context::{Context, Entry, Kind, ReadFault, Wanted};
use super::http::Body;
use super::output_line::human_size;
use crate::clock;
use crate::logs::LogWriter;
use crate::model::octets::bytes_of;
use crate::model::{IgnoreMatcher, LocalPath, format_go_duration};

/// How much is sent at once, and how many such pieces may wait.
const CHUNK: usize = 64 * 1024;
const MAX_WAITING_CHUNKS: usize = 8;
/// The least time between two lines about the progress of sending.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
const IGNORE_FILE: &str = ".dockerignore";

/// Returns the name that a Dockerfile is sent under: nothing of the user's is called like this.
pub(super) fn dockerfile_name(dockerfile: &str) -> String {
    let hash: String = Sha256::digest(dockerfile)
        .iter()
        .take(10)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(".dockerfile.{hash}")
}

/// Writes a context and a Dockerfile as a tar whose bytes depend on names, contents, permissions and times alone.
///
/// The engine is told, by a `.dockerignore`, to leave out the Dockerfile; what else is sent stays.
pub(super) fn write(
    context: &LocalPath,
    ignores: &IgnoreMatcher,
    dockerfile: &str,
    out: impl Write,
) -> io::Result<()> {
    let name = dockerfile_name(dockerfile);
    let mut tar = tar::Builder::new(out);
    tar.mode(tar::HeaderMode::Deterministic);
    let mut ignore_file = None;
    let context = Context::open(context)?;
    context.walk(ignores, &Wanted::All, &mut |entry| {
        if entry.name == Path::new(IGNORE_FILE) && matches!(entry.kind, Kind::File { .. }) {
            ignore_file = context.file(&entry.name).and_then(io::read_to_string).ok();
            return Ok(());
        }
        append(&mut tar, &context, &entry)
    })?;
    let ignore_file = match ignore_file {
        Some(text) => format!("{text}\n{name}\n"),
        None => format!("{IGNORE_FILE}\n{name}\n"),
    };
    append_text(&mut tar, IGNORE_FILE, &ignore_file)?;
    append_text(&mut tar, &name, dockerfile)?;
    tar.finish()
}

/// A context on its way to the engine.
pub(super) struct Upload {
    pub(super) context: LocalPath,
    pub(super) ignores: IgnoreMatcher,
    pub(super) dockerfile: String,
    pub(super) fault: ReadFault,
    pub(super) progress: ContextProgress,
}

impl Upload {
    /// Streams the tar from a thread of its own. An error of reading ends the stream with it.
    pub(super) fn stream(self) -> Body {
        let (sender, receiver) = mpsc::channel(MAX_WAITING_CHUNKS);
        tokio::task::spawn_blocking(move || {
            let sink = ChannelWriter {
                sender: sender.clone(),
                sent: 0,
                progress: self.progress,
            };
            let mut sink = io::BufWriter::with_capacity(CHUNK, sink);
            let written =
                write(&self.context, &self.ignores, &self.dockerfile, &mut sink).and_then(|()| sink.flush());
            match written {
                Ok(()) => {
                    let ChannelWriter { sent, progress, .. } = sink.get_mut();
                    progress.finish(clock::now(), *sent);
                }
                Err(err) => {
                    self.fault.note(&err);
                    // When nobody listens any more, nobody wants to know.
                    let _ = sender.blocking_send(Err(err));
                }
            }
        });
        StreamBody::new(frames(receiver)).boxed_unsync()
    }
}

fn frames(receiver: mpsc::Receiver<io::Result<Bytes>>) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let chunk = receiver.recv().await?;
        Some((chunk.map(Frame::data), receiver))
    })
}

struct ChannelWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    sent: usize,
    progress: ContextProgress,
}

impl Write for ChannelWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender
            .blocking_send(Ok(Bytes::copy_from_slice(buf)))
            .map_err(gone)?;
        self.sent += buf.len();
        self.progress.update(clock::now(), self.sent);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says now and then how much of a context is sent.
pub(super) struct ContextProgress {
    log: LogWriter,
    started: Instant,
    printed: Instant,
}

impl ContextProgress {
    pub(super) fn new(log: LogWriter) -> Self {
        let now = clock::now();
        Self {
            log,
            started: now,
            printed: now,
        }
    }

    fn update(&mut self, now: Instant, sent: usize) {
        if now.saturating_duration_since(self.printed) > PROGRESS_INTERVAL {
            self.print(now, sent, false);
        }
    }

    fn finish(&mut self, now: Instant, sent: usize) {
        self.print(now, sent, true);
    }

    fn print(&mut self, now: Instant, sent: usize, is_last: bool) {
        self.printed = now;
        let took = Duration::from_millis(now.saturating_duration_since(self.started).as_millis() as u64);
        let size = human_size(i64::try_from(sent).unwrap_or(i64::MAX));
        let text = format!(
            "Sending Docker build context: {size} ({})",
            format_go_duration(took)
        );
        self.log.progress("build-context", is_last, &text);
    }
}

fn append(tar: &mut tar::Builder<impl Write>, context: &Context, entry: &Entry) -> io::Result<()> {
    let mut header = header(entry.mode);
    header.set_mtime(u64::try_from(entry.modified_nanos / 1_000_000_000).unwrap_or(0));
    match &entry.kind {
        Kind::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            // With a slash at its end.
            tar.append_data(&mut header, entry.name.join(""), io::empty())
        }
        Kind::Symlink(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, &entry.name, target)
        }
        Kind::File { size } => {
            header.set_size(*size);
            let file = context.file(&entry.name)?;
            // The size was promised; a file that shrinks or grows meanwhile must not break the archive.
            let content = file.take(*size).chain(io::repeat(0)).take(*size);
            tar.append_data(&mut header, &entry.name, content)
        }
    }
}

fn append_text(tar: &mut tar::Builder<impl Write>, name: &str, text: &str) -> io::Result<()> {
    let mut header = header(0o600);
    let bytes = bytes_of(text);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, &*bytes)
}

fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ignore;

    #[test]
    fn a_tar_holds_what_is_not_ignored_and_belongs_to_root() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::create_dir(dir.path().join("d")).expect("a folder");
        std::fs::write(dir.path().join("d/x"), "hello").expect("a file");
        std::fs::write(dir.path().join("secret"), "no").expect("a file");
        std::os::unix::fs::symlink("d/x", dir.path().join("link")).expect("a link");
        let context = LocalPath::new(dir.path());
        let ignores = IgnoreMatcher::new(&[Ignore {
            base: context.clone(),
            patterns: vec!["secret".to_owned()],
        }]);
        let mut bytes = Vec::new();
        write(&context, &ignores, "FROM x\n", &mut bytes).expect("written");
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut seen = Vec::new();
        for entry in archive.entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            assert_eq!(
                (entry.header().uid().ok(), entry.header().gid().ok()),
                (Some(0), Some(0))
            );
            let link = entry
                .link_name()
                .expect("readable")
                .map(|link| link.display().to_string());
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            seen.push((
                entry.path().expect("a name").display().to_string(),
                link.unwrap_or(text),
            ));
        }
        let name = dockerfile_name("FROM x\n");
        let expected = [
            ("d/", ""),
            ("d/x", "hello"),
            ("link", "d/x"),
            (".dockerignore", &format!(".dockerignore\n{name}\n")),
            (&name, "FROM x\n"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn names_and_targets_of_links_are_bytes() {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        let odd = |name: &[u8]| std::ffi::OsStr::from_bytes(name).to_owned();
        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::write(dir.path().join(odd(b"bad-\xff.txt")), "x").expect("a file");
        std::os::unix::fs::symlink(odd(b"to-\xff"), dir.path().join("link")).expect("a link");
        let mut bytes = Vec::new();
        let context = LocalPath::new(dir.path());
        write(&context, &IgnoreMatcher::default(), "FROM x", &mut bytes).expect("written");
        let mut archive = tar::Archive::new(&bytes[..]);
        let found: Vec<_> = archive
            .entries()
            .expect("a tar")
            .take(2)
            .map(|entry| {
                let entry = entry.expect("an entry");
                let link = entry.link_name_bytes().map(|name| name.to_vec());
                (entry.path_bytes().to_vec(), link)
            })
            .collect();
        let expected = [
            (odd(b"bad-\xff.txt").into_vec(), None),
            (b"link".to_vec(), Some(b"to-\xff".to_vec())),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_same_files_make_the_same_tar() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::write(dir.path().join("x"), "hello").expect("a file");
        let context = LocalPath::new(dir.path());
        let make = || {
            let mut bytes = Vec::new();
            write(&context, &IgnoreMatcher::default(), "FROM x", &mut bytes).expect("written");
            bytes
        };
        assert_eq!(make(), make());
    }
}
