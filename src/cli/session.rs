//! What `up` and `ci` share: the runtime, the log and its printer, signals, and the loop of `edge::run`.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{colour, flags, say, snapshot, traces, variables, version, web_port};
use crate::api::SessionFacts;
use crate::clock;
use crate::edge::death;
use crate::edge::evaluation::RealHost;
use crate::edge::kube::{ClusterAccess, FrozenKubeconfig, read_context};
use crate::edge::local::CommandVariables;
use crate::edge::process::{open_in_browser, pin};
use crate::edge::session::{self, Session};

use crate::edge::machine::{keys, output_gone, print_stream, signals};
use crate::engine::{ExitOutcome, Mode};
use crate::k8s::labels::Ownership;
use crate::logs::{Level, LogFilter, LogSource, LogStore, LogWriter, StreamPrinter};
use crate::model::{ApiObjects, LocalPath};
use crate::server;
use crate::tiltfile::{Load, LoadRequest, Memory, Program, load_on_big_stack};
use crate::view::View;

/// What a session is started with.
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) subcommand: &'static str,
    pub(super) flags: flags::Session,
    pub(super) tiltfile_args: Vec<String>,
    pub(super) forwards_ports: bool,
    pub(super) updates_containers: bool,
    /// The file for a snapshot of its end.
    pub(super) snapshot: Option<String>,
}

/// What is left of a session.
pub(super) struct Ended {
    pub(super) outcome: ExitOutcome,
    /// What was seen last.
    pub(super) view: Arc<View>,
    pub(super) log: LogStore,
    pub(super) tiltfile: LocalPath,
}

/// How long after a user asked for it a session ends, whatever hangs: a little before it is ended by force.
const END: Duration = signals::PATIENCE.saturating_sub(Duration::from_millis(100));

/// Returns what is cancelled when the user wants the end. Whoever asks twice gets it at once, with this exit code.
pub(super) fn stop_on_signal(stopped: u8) -> anyhow::Result<CancellationToken> {
    signals::cancel_on_signal(stopped).context("cannot listen for signals")
}

/// Runs a session to its end; everything it logged has been printed when this returns.
pub(super) fn run(options: Options, stop: CancellationToken) -> anyhow::Result<Ended> {
    let runtime = runtime()?;
    let ended = runtime.block_on(run_in_runtime(options, stop));
    // What hangs there must not hold up the end.
    runtime.shutdown_background();
    ended
}

async fn run_in_runtime(options: Options, stop: CancellationToken) -> anyhow::Result<Ended> {
    let asked = {
        let stop = stop.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            tokio::time::Instant::now()
        })
    };
    let (asked_port, host) = (options.flags.serve.port, options.flags.serve.host.clone());
    let web = web_port::listen(&host, asked_port)?;
    // What is started finds this session by the port that it has.
    let port = web.local_addr().map_or(asked_port, |address| address.port());
    if asked_port == 0 {
        // Its own environment may say that it may be any.
        pin("TILT_PORT", port.to_string());
    }
    let prepared = prepare(
        options.flags.tiltfile.path()?,
        options.tiltfile_args,
        options.subcommand,
        &options.flags.cluster,
        (&host, port),
    )?;
    let request = prepared.request;
    let log = open_log();
    traces::hide_secrets_of(&log);
    let tiltfile = request.file.clone();
    let facts = SessionFacts {
        started: clock::timestamp(),
        pid: std::process::id(),
        tiltfile: tiltfile.clone(),
        is_ci: matches!(options.mode, Mode::Ci { .. }),
        is_local: web.local_addr().is_ok_and(|address| address.ip().is_loopback()),
        context: prepared.access.is_ok().then(|| request.kube.clone()),
        kubeconfig: prepared
            .kubeconfig
            .as_ref()
            .map(|frozen| frozen.path().display().to_string()),
    };
    let printer = StreamPrinter::new(filter(&options.flags.log_filter));
    let printing = tokio::spawn(print_stream(log.reader(), printer, std::io::stdout()));
    let (handle, way) = session::way();
    let (is_up, unread, deaths) = (options.mode == Mode::Up, stop.clone(), handle.deaths.clone());
    let printing = tokio::spawn(async move {
        let outcome = tokio::select! {
            outcome = printing => outcome,
            () = output_gone(std::io::stdout()), if is_up => Ok(Ok(())),
        };
        // It ends before the log does when nobody reads it any more, or it cannot be written.
        if is_up && outcome.is_ok() {
            unread.cancel();
        }
        outcome.unwrap_or_else(|error| {
            let panic = error.try_into_panic().ok();
            // Nobody may be there any more to hear of it.
            let _ = deaths.try_send(death("the printing of the log", panic.as_deref()));
            Ok(())
        })
    });
    // What is shown when it is asked to stop is kept at once: what follows may take longer than there is time.
    let early = options.snapshot.clone().map(|path| {
        let (stop, shown) = (stop.clone(), handle.view.clone());
        let (log, tiltfile) = (log.clone(), tiltfile.clone());
        tokio::spawn(async move {
            stop.cancelled().await;
            let view = Arc::clone(&shown.borrow());
            // That it cannot be written is told of the last one.
            let writing = move || snapshot::keep(&path, &view, &log, &tiltfile).is_ok();
            tokio::task::spawn_blocking(writing).await
        })
    });
    let page = page_address(&host, asked_port);
    let opened = page.clone().filter(|_| is_up && say::is_to_somebody());
    greet(&log, &host, page.as_deref(), &web, opened.is_some());
    let keys = opened.map(|address| {
        let log = LogWriter::global(log.clone());
        keys::listen(move |key| {
            if key == b' ' {
                open_page(&address, &log);
            }
        })
    });
    let _keys = keys.transpose().context("cannot read keys")?;
    if let Some(warning) = &prepared.warning {
        LogWriter::global(log.clone()).warn(warning);
    }
    let session = Session {
        mode: options.mode,
        ownership: ownership(&request),
        commands: CommandVariables::new(request.program.variables.clone()),
        request,
        access: prepared.access,
        log: log.clone(),
        forwards_ports: options.forwards_ports,
        updates_containers: options.updates_containers,
        has_colour: colour::may_be_used(std::io::stdout().is_terminal()),
        cwd: flags::working_directory()?,
    };
    let server = server::start(server::Options {
        handle,
        log: log.clone(),
        facts,
        web,
        asked_port,
    })
    .await?;
    let (outcome, view) = session::run(session, way, stop.clone()).await;
    // What the log has by now is all that it will have; whoever reads it to its end may begin.
    log.end_lines();
    let closing = tokio::task::spawn_blocking({
        let log = log.clone();
        move || log.close()
    });
    let snapshot = options.snapshot.map(|path| {
        let (view, log, tiltfile) = (Arc::clone(&view), log.clone(), tiltfile.clone());
        let early = early.filter(|_| stop.is_cancelled());
        tokio::spawn(async move {
            if let Some(early) = early {
                early.await??;
            }
            tokio::task::spawn_blocking(move || snapshot::write(&path, &view, &log, &tiltfile)).await
        })
    });
    let ending = async {
        let snapshot = async {
            match snapshot {
                Some(writing) => writing.await,
                None => Ok(Ok(())),
            }
        };
        let (closed, printed, written, ()) = tokio::join!(closing, printing, snapshot, server.stop());
        closed?;
        written??;
        printed?.context("cannot print the log")
    };
    if stop.is_cancelled() {
        // Whoever stopped it does not wait for a disk that hangs, or for a terminal that is stopped.
        tokio::time::timeout_at(asked.await? + END, ending)
            .await
            .unwrap_or(Ok(()))?;
    } else {
        asked.abort();
        ending.await?;
    }
    Ok(Ended {
        outcome,
        view,
        log,
        tiltfile,
    })
}

/// What to evaluate, and for which cluster.
pub(super) struct Prepared {
    pub(super) request: LoadRequest,
    /// How to reach the cluster, or why it cannot be reached.
    pub(super) access: Result<ClusterAccess, String>,
    /// What the user should know before anything is run.
    pub(super) warning: Option<String>,
    /// Kept to the end: commands find it in their environment.
    pub(super) kubeconfig: Option<FrozenKubeconfig>,
}

/// Reads the kubeconfig, and makes everything that is started from now on use the cluster that it means. `served` is the
/// host and the port of the web page.
///
/// # Errors
/// When the context that was typed cannot be used. Of any other fault only those are told who need the cluster.
pub(super) fn prepare(
    file: LocalPath,
    args: Vec<String>,
    subcommand: &'static str,
    cluster: &flags::Cluster,
    (host, port): (&str, u16),
) -> anyhow::Result<Prepared> {
    fn typed(flag: Option<&String>) -> Option<&str> {
        flag.map(String::as_str).filter(|text| !text.is_empty())
    }
    let (context, namespace) = (typed(cluster.context.as_ref()), typed(cluster.namespace.as_ref()));
    let (kube, access) = read_context(context, namespace, &|name| std::env::var(name).ok());
    let (kubeconfig, warning) = variables::pin_kubeconfig(port, &access);
    let access = match access {
        Err(error) if context.is_some() => return Err(error.into()),
        access => access.map_err(|error| error.to_string()),
    };
    let request = LoadRequest {
        file,
        args,
        subcommand,
        kube,
        web_host: host.to_owned(),
        is_main: true,
        program: program(variables::variables(host, port)),
        memory: Memory::default(),
        extensions: ApiObjects::default(),
        clock: None,
    };
    Ok(Prepared {
        request,
        access,
        warning,
        kubeconfig,
    })
}

/// Returns what a Tiltfile can know about this program.
fn program(variables: Vec<(String, String)>) -> Program {
    let argv: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let executable = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
    Program {
        executable: executable.unwrap_or_else(|_| argv.first().cloned().unwrap_or_default()),
        argv,
        variables,
    }
}

/// Evaluates a Tiltfile without a session.
pub(super) fn load_in_foreground(request: &LoadRequest, log: &LogWriter) -> Load {
    load_on_big_stack(
        request,
        &RealHost::default(),
        log,
        Arc::new(AtomicBool::new(false)),
    )
}

/// Returns a runtime for the edge.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Returns the log of a new session: on disk, or in memory where there is no place for it.
fn open_log() -> LogStore {
    let opened = match LogStore::user_dir() {
        Some(dir) => LogStore::open(&dir).map_err(|error| error.to_string()),
        None => Err("there is no home directory".to_owned()),
    };
    opened.unwrap_or_else(|error| {
        let log = LogStore::in_memory();
        LogWriter::global(log.clone()).warn(&format!("the log is kept in memory only: {error}"));
        log
    })
}

/// Returns who deploys what: the Tiltfile's directory, and the user, who may have chosen another name for it where all
/// users have one name, as in containers.
pub(super) fn ownership(request: &LoadRequest) -> Ownership {
    let names = ["TILT_OWNER", "USER", "LOGNAME"].into_iter();
    let mut given = names.filter_map(|name| std::env::var(name).ok());
    Ownership {
        project: request.file.parent().to_string(),
        owner: given.find(|name| !name.is_empty()).unwrap_or_default(),
    }
}

/// Returns where this machine finds the page; `None` where it is not announced.
fn page_address(host: &str, port: u16) -> Option<String> {
    let host = if host == "0.0.0.0" { "127.0.0.1" } else { host };
    (port != 0).then(|| format!("http://{host}:{port}/"))
}

/// Opens the page in the user's browser. A program that opens it may run as long as the browser does.
fn open_page(address: &str, log: &LogWriter) {
    log.info(&format!("Opening browser: {address}"));
    let (address, log) = (address.to_owned(), log.clone());
    let opening = std::thread::Builder::new()
        .name("browser".to_owned())
        .spawn(move || {
            if let Err(error) = open_in_browser(&address) {
                log.error(&format!("Error: {error}; open {address} yourself"));
            }
        });
    drop(opening);
}

/// Says what starts, where its page is, and which keys there are.
fn greet(log: &LogStore, host: &str, page: Option<&str>, web: &TcpListener, has_keys: bool) {
    let line = match page {
        None => "Tilt started (without browser UI)".to_owned(),
        Some(page) if host == "0.0.0.0" => format!("Tilt started on {page} (listening on 0.0.0.0)"),
        Some(page) => format!("Tilt started on {page}"),
    };
    if web.local_addr().is_ok_and(|address| !address.ip().is_loopback()) {
        LogWriter::global(log.clone()).warn(
            "the web page can be reached from other machines; who opens it there needs the token of this session",
        );
    }
    let line = if colour::may_be_used(std::io::stdout().is_terminal()) {
        format!("\x1b[32m{line}\x1b[0m")
    } else {
        line
    };
    let keys = if has_keys {
        "\n(space) to open the browser\n(ctrl-c) to exit\n"
    } else {
        ""
    };
    LogWriter::global(log.clone()).info(&format!("{line}\n{}\n{keys}", version::line()));
}

fn filter(flags: &flags::LogFilter) -> LogFilter {
    LogFilter {
        level: match flags.log_level.as_str() {
            "warn" => Some(Level::Warn),
            "error" => Some(Level::Error),
            _ => None,
        },
        source: match flags.log_source.as_str() {
            "build" => LogSource::Build,
            "runtime" => LogSource::Runtime,
            _ => LogSource::All,
        },
        resources: flags
            .log_resource
            .iter()
            .map(|name| name.as_str().into())
            .collect(),
        since: None,
    }
}
