//! A directory of this machine that stands for a container, one that stands for a project, and the way between.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::super::Progress;
use super::super::journal::ImageContent;
use super::super::program::{Program, Streams, Way};
use super::super::shared_reads::SharedReads;
use super::super::target::{Job, Target};
use crate::clock;
use crate::logs::{LogStore, LogWriter};
use crate::model::{
    Batch, BatchRun, ContainerPath, Ignore, LocalPath, ManifestName, Placement, SpanId, SyncFailure, Synced,
};

/// The shells that images have, each with its programs.
pub(super) const SHELLS: [&str; 2] = ["dash", "busybox"];
const PROGRAMS: [&str; 9] = ["sh", "tar", "mv", "rm", "mkdir", "chmod", "cat", "head", "sleep"];

/// A project and a container.
pub(super) struct Scene {
    dir: TempDir,
    pub(super) target: Target,
    pub(super) log: LogStore,
    /// After how many bytes of input the stream is cut.
    pub(super) cut_after: Arc<AtomicU64>,
    shell: &'static str,
}

impl Scene {
    pub(super) fn new(shell: &'static str) -> Self {
        Self::with_programs(shell, &PROGRAMS)
    }

    /// A container that has only these programs.
    pub(super) fn with_programs(shell: &'static str, programs: &[&str]) -> Self {
        let dir = TempDir::with_prefix("sync-").unwrap();
        for name in ["project", "container", "bin"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        for program in programs {
            let from = match (shell, *program) {
                ("busybox", _) => "/usr/bin/busybox".to_owned(),
                (_, "sh") => format!("/usr/bin/{shell}"),
                (_, program) => format!("/usr/bin/{program}"),
            };
            symlink(from, dir.path().join("bin").join(program)).unwrap();
        }
        let cut_after = Arc::new(AtomicU64::new(u64::MAX));
        let way = Local {
            dir: dir.path().to_owned(),
            cut_after: Arc::clone(&cut_after),
        };
        Self {
            target: Target::new(Arc::new(way), ImageContent::default()),
            log: LogStore::in_memory(),
            cut_after,
            dir,
            shell,
        }
    }

    /// Another session with the same container.
    pub(super) fn anew(&mut self) {
        self.anew_of(ImageContent::default());
    }

    pub(super) fn anew_of(&mut self, image: ImageContent) {
        let way = Local {
            dir: self.dir.path().to_owned(),
            cut_after: Arc::clone(&self.cut_after),
        };
        self.target = Target::new(Arc::new(way), image);
    }

    /// The container is replaced by another one.
    pub(super) fn replace_container(&self) {
        let root = self.dir.path().join("container");
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::create_dir(root).unwrap();
    }

    pub(super) fn here(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("project").join(path)
    }

    pub(super) fn there(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join("container/app").join(path)
    }

    pub(super) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.here(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn placement(&self, path: impl AsRef<Path>) -> Placement {
        let dot = path.as_ref() == Path::new(".");
        let (local, container) = (self.here(&path), self.there(&path));
        Placement {
            local: LocalPath::new(if dot { self.here("") } else { local }),
            container: ContainerPath::new(if dot { self.there("") } else { container }),
            ignores: Arc::new([Ignore {
                base: LocalPath::new(self.here("")),
                patterns: vec!["**/ignored".to_owned()],
            }]),
        }
    }

    pub(super) async fn sync<P: AsRef<Path>>(&mut self, paths: &[P]) -> Result<Synced, SyncFailure> {
        let batch = Batch {
            files: paths.iter().map(|path| self.placement(path)).collect(),
            ..Batch::default()
        };
        self.batch(&batch, &CancellationToken::new()).await
    }

    pub(super) async fn run(
        &mut self,
        script: &str,
        cancel: &CancellationToken,
    ) -> Result<Synced, SyncFailure> {
        let batch = Batch {
            runs: vec![BatchRun {
                argv: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
                echo_off: false,
                only_for: Vec::new(),
            }],
            runs_are_due: true,
            ..Batch::default()
        };
        self.batch(&batch, cancel).await
    }

    pub(super) async fn batch(
        &mut self,
        batch: &Batch,
        cancel: &CancellationToken,
    ) -> Result<Synced, SyncFailure> {
        let log = LogWriter::new(self.log.clone(), SpanId::from("live"), ManifestName::from("web"));
        let job = Job {
            batch,
            progress: &mut |_: Progress<'_>| {},
            log: &log,
            cancel,
            reads: &SharedReads::default(),
            started: clock::now(),
        };
        // As a part of the futures of tests it would not fit on their stacks.
        Box::pin(self.target.sync(job)).await
    }

    /// Fails unless the container has what the project has, and nothing else.
    #[track_caller]
    pub(super) fn assert_equal(&self, when: &str) {
        let (here, there) = (tree(&self.here("")), tree(&self.there("")));
        assert_eq!(there, here, "{} {when}", self.shell);
    }
}

/// What is below a directory: each entry with its permissions and what it holds.
pub(super) fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    collect(root, root, &mut found);
    found
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.file_name() == Some(OsStr::new("ignored")) {
            continue;
        }
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let mode = metadata.mode() & 0o777;
        let content = if metadata.is_dir() {
            collect(root, &path, found);
            format!("dir {mode:o}")
        } else if metadata.is_symlink() {
            format!("link {:?}", std::fs::read_link(&path).unwrap())
        } else {
            format!(
                "file {mode:o} {:?}",
                OsStr::from_bytes(&std::fs::read(&path).unwrap())
            )
        };
        found.insert(path.strip_prefix(root).unwrap().to_owned(), content);
    }
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The way into the directory.
struct Local {
    dir: PathBuf,
    cut_after: Arc<AtomicU64>,
}

impl Way for Local {
    #[allow(
        clippy::disallowed_methods,
        reason = "it names its directory and its environment"
    )]
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>> {
        async move {
            let bin = self.dir.join("bin");
            let spawned = tokio::process::Command::new(bin.join(&argv[0]))
                .args(&argv[1..])
                .current_dir(self.dir.join("container"))
                .env_clear()
                .env("PATH", &bin)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(false)
                .spawn();
            let mut child = spawned.map_err(|error| not_started(&argv, &error))?;
            let to = Box::new(Cut {
                inner: child.stdin.take(),
                left: Arc::clone(&self.cut_after),
            });
            let from = Box::new(Ear {
                inner: child.stdout.take().unwrap(),
                left: Arc::clone(&self.cut_after),
            });
            let ended = async move {
                let status = child.wait().await.unwrap();
                let code = status.code().unwrap_or(137);
                super::super::failure::of_end(&format!("command terminated with exit code {code}"))
            };
            Ok(Streams {
                to,
                from,
                ended: ended.boxed(),
                _task: None,
            })
        }
        .boxed()
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "it names its directory and its environment"
    )]
    fn start(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Program, SyncFailure>> {
        async move {
            let bin = self.dir.join("bin");
            let spawned = tokio::process::Command::new(bin.join(&argv[0]))
                .args(&argv[1..])
                .current_dir(self.dir.join("container"))
                .env_clear()
                .env("PATH", &bin)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut child = spawned.map_err(|error| not_started(&argv, &error))?;
            let to = Box::new(Cut {
                inner: child.stdin.take(),
                left: Arc::clone(&self.cut_after),
            });
            let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let cut = Arc::clone(&self.cut_after);
            let ended = async move {
                let status = child.wait().await.unwrap();
                match cut.load(Ordering::SeqCst) {
                    0 => Err(SyncFailure::ConnectionLost("cut".to_owned())),
                    _ => Ok(status.code().unwrap_or(137)),
                }
            };
            Ok(Program {
                to,
                out: Box::new(out),
                err: Box::new(err),
                ended: ended.boxed(),
                _task: None,
            })
        }
        .boxed()
    }

    fn first_places(&self) -> Vec<PathBuf> {
        vec![self.dir.join("container")]
    }
}

fn not_started(argv: &[String], error: &std::io::Error) -> SyncFailure {
    match error.kind() {
        std::io::ErrorKind::NotFound => SyncFailure::MissingProgram {
            program: argv[0].clone(),
        },
        _ => super::super::failure::of_end(&error.to_string()),
    }
}

/// Input that breaks after some bytes: the program sees its end, we see an error.
struct Cut {
    inner: Option<tokio::process::ChildStdin>,
    left: Arc<AtomicU64>,
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let left = self.left.load(Ordering::SeqCst);
        let n_bytes = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let Some(inner) = self.inner.as_mut().filter(|_| n_bytes > 0) else {
            self.inner = None;
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        };
        let written = Pin::new(inner).poll_write(cx, &bytes[..n_bytes]);
        if let Poll::Ready(Ok(n)) = written
            && left != u64::MAX
        {
            self.left.store(left - n as u64, Ordering::SeqCst);
            if left == n as u64 {
                self.inner = None;
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.inner = None;
        Poll::Ready(Ok(()))
    }
}

/// Output that is not heard once the input was cut.
struct Ear {
    inner: tokio::process::ChildStdout,
    left: Arc<AtomicU64>,
}

impl AsyncRead for Ear {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}
