//! What every test needs: an engine, a scratch context, a log to read, and names of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use tilt::edge::docker::{BuildError, BuildRequest, Docker, ImageId};
use tilt::edge::process::Environment;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::{DockerBuild, DockerOptions, Ignore, ImageRef, LocalPath, ManifestName, SpanId};
use tokio_util::sync::CancellationToken;

/// A scratch context and what was logged while building it.
pub(crate) struct World {
    pub(crate) docker: Docker,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cancel: CancellationToken,
    store: LogStore,
}

impl World {
    /// Connects to the engine of this machine; files are `(name, text)`.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with_env(files, &[]).await
    }

    /// The same with further variables in the environment.
    pub(crate) async fn with_env(files: &[(&str, &str)], vars: &[(&str, &str)]) -> Self {
        let mut env = Environment::inherited();
        for (name, value) in vars {
            env.set(*name, *value);
        }
        let dir = tempfile::tempdir().expect("a scratch folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        Self {
            docker: Docker::connect(env).await.expect("a Docker engine runs"),
            dir,
            cancel: CancellationToken::new(),
            store: LogStore::in_memory(),
        }
    }

    pub(crate) fn context(&self) -> LocalPath {
        LocalPath::new(self.dir.path())
    }

    pub(crate) fn request(&self, dockerfile: &str) -> BuildRequest {
        BuildRequest {
            build: DockerBuild {
                context: self.context(),
                dockerfile: self.context().join("Dockerfile"),
                dockerfile_contents: dockerfile.to_owned(),
                build_args: Vec::new(),
                stage: None,
                context_ignores: Vec::new(),
                options: DockerOptions::default(),
                site: None,
            },
            dockerfile: dockerfile.to_owned(),
        }
    }

    pub(crate) fn ignore(&self, patterns: &[&str]) -> Ignore {
        Ignore {
            base: self.context(),
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
        }
    }

    pub(crate) fn writer(&self) -> LogWriter {
        LogWriter::new(
            self.store.clone(),
            SpanId::from("build:1"),
            ManifestName::from("test"),
        )
    }

    pub(crate) async fn build(&self, request: &BuildRequest) -> Result<ImageId, BuildError> {
        self.docker.build(request, &self.writer(), &self.cancel).await
    }

    /// Returns all that was logged.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        let mut reader = self.store.reader();
        loop {
            let batch = reader.try_next_batch();
            if batch.is_empty() {
                return text;
            }
            for segment in batch {
                text.push_str(&segment.text);
            }
        }
    }

    /// Returns the output of a `RUN` step: the logged lines after the arrow.
    pub(crate) fn output(&self) -> Vec<String> {
        let log = self.log();
        let lines = log
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("→ "));
        lines.map(str::to_owned).collect()
    }
}

/// Returns a text that no run of these tests has used before, to get past the build cache.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
    format!("{random:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn image(text: &str) -> ImageRef {
    ImageRef::parse(text).expect(text)
}
