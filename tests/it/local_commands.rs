//! `local()`: what it runs, what it shows, and when it refuses.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tilt::edge::evaluation::RealHost;
use tilt::k8s::Product;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::LocalPath;
use tilt::tiltfile::{LoadRequest, MemoryHost, Ran, load_on_big_stack};

use crate::support::{load_with, request};

/// Returns the log of a Tiltfile that runs real commands in a directory of its own, or what is wrong with it.
fn real(tiltfile: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let root = LocalPath::new(directory.path().canonicalize().expect("it exists"));
    std::fs::create_dir(root.join("sub")).expect("a new directory");
    std::fs::write(root.join("Tiltfile"), tiltfile).expect("a new file");
    let mut request: LoadRequest = request();
    request.subcommand = "down";
    request.file = root.join("Tiltfile");
    request.program.variables = vec![("TILT_PORT".to_owned(), "10350".to_owned())];
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let host = RealHost::default();
    let load = load_on_big_stack(&request, &host, &log, Arc::new(AtomicBool::new(false)));
    let segments = store.reader_from(0).try_next_batch();
    let text: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    let shown = |text: String| text.replace(&root.to_string(), "$DIR");
    match load.error_text() {
        None => Ok(shown(text)),
        Some(error) => Err(shown(error)),
    }
}

#[test]
fn commands_and_their_output_are_in_the_log() {
    let tiltfile = "local('echo hello; sleep .05; echo oops >&2; printf end')\nlocal('true')\n\
                    local('echo only', echo_off=True)\nlocal('echo unseen', quiet=True)\nlocal(['echo', 'a b'])\n\
                    local('true', quiet=True)\nlocal('true', echo_off=True)\nlocal('set -e\\ntrue', quiet=True)\n";
    assert_eq!(
        real(tiltfile).as_deref(),
        Ok(
            "local: echo hello; sleep .05; echo oops >&2; printf end\n → hello\n → oops\n → end\nlocal: true\n → [no output]\n \
            → only\nlocal: echo unseen\nlocal: echo \"a b\"\n → a b\nlocal: true\nlocal: sh -c \"set -e\\ntrue\"\n"
        )
    );
}

#[test]
fn a_command_has_its_directory_environment_and_input() {
    let tiltfile = "def text(*args, **kwargs): return str(local(quiet=True, echo_off=True, *args, **kwargs)).strip()\n\
                    os.putenv('FROM_TILTFILE', 'p')\n\
                    print(text('pwd'), text('pwd', dir='sub'), text(['echo', '$HOME']))\n\
                    print(text('echo $A-$FROM_TILTFILE', env={'A': '1', 'FROM_TILTFILE': 'q'}), text('echo $FROM_TILTFILE'))\n\
                    print(text('cat', stdin='in'), text('cat', stdin=blob('blob')), repr(text('cat')))\n\
                    print(text('echo $TILT_PORT $TILT_DISABLE_ANALYTICS'), text('echo $TILT_PORT', env={'TILT_PORT': '1'}))\n\
                    print(type(local('true', quiet=True, echo_off=True)), text('echo x', command_bat=['never']))\n";
    assert_eq!(
        real(tiltfile).as_deref(),
        Ok("$DIR $DIR/sub $HOME\n1-q p\nin blob \"\"\n10350 1 1\nblob x\n")
    );
}

#[test]
fn commands_that_cannot_run_or_fail_are_errors() {
    for (tiltfile, expected) in [
        (
            "local('')",
            "Error in local: command \"\" failed.\nerror: empty cmd",
        ),
        ("local([])", "error: empty cmd"),
        (
            "local('exit 3')",
            "command \"exit 3\" failed.\nerror: exit status 3\n  |",
        ),
        (
            "local('echo out; echo err >&2; exit 3', quiet=True)",
            "error: exit status 3\nstdout:\nout\nstderr:\nerr\n  |",
        ),
        ("local('kill -9 $$')", "error: signal: killed"),
        (
            "local(['no-such-program', 'x'])",
            "command \"no-such-program x\" failed.\nerror: exec: \"no-such-program\": executable file not found in $PATH",
        ),
        (
            "local(['./no-such-program'])",
            "fork/exec ./no-such-program: no such file or directory",
        ),
        (
            "local('true', dir='none')",
            "error: chdir $DIR/none: no such file or directory",
        ),
        (
            "local(None)",
            "a command must be a string or list of strings. found starlark.NoneType",
        ),
        (
            "local(blob('x'))",
            "a command must be a string or list of strings. found io.Blob",
        ),
        (
            "local(['a', 1])",
            "a command must be a string or a list of strings: '1' is a starlark.Int, not a string",
        ),
        (
            "local('true', env=[])",
            "for parameter \"env\": expected dict, got *starlark.List",
        ),
        (
            "local('true', env={1: 'a'})",
            "key is not a string: starlark.Int (1)",
        ),
        (
            "local('true', env={'': 'a'})",
            "environment has empty key for value \"a\"",
        ),
        (
            "local('true', dir=1)",
            "a command directory must be empty or a string: expected path | string. Actual type: starlark.Int",
        ),
        (
            "local('true', stdin=1)",
            "Value should be convertible to string, but is type int",
        ),
        ("local('true', quiet='x')", "got string, want bool"),
        (
            "local('true', 0, None, False, {}, None, None, [])",
            "local: got 8 arguments, want at most 7",
        ),
        (
            "local('true', comand='x')",
            "unexpected keyword argument \"comand\" (did you mean command?)",
        ),
        ("local()", "local: missing argument for command"),
    ] {
        let error = real(tiltfile).expect_err(tiltfile);
        assert!(error.contains(expected), "{tiltfile}\n{error}");
    }
}

fn refused(tiltfile: &str, change: impl FnOnce(&mut LoadRequest)) -> Option<String> {
    let mut request = request();
    request.subcommand = "down";
    request.kube.name = "gke".to_owned();
    request.kube.product = Product::Unknown;
    change(&mut request);
    let host = MemoryHost::new(&format!("--- Tiltfile\n{tiltfile}\n")).with_command("x", Ran::default());
    let (load, _) = load_with(&request, &host);
    assert_eq!(
        load.errors.is_empty(),
        !host.ran().is_empty(),
        "nothing runs that is refused"
    );
    load.error_text()
}

#[test]
fn nothing_runs_near_a_cluster_that_might_be_for_production() {
    assert_eq!(
        refused("local('x')", |_| {}).as_deref(),
        Some(
            "Traceback (most recent call last):\n  /src/Tiltfile:1:6: in <toplevel>\nError in local: Refusing to run 'local' \
             because gke might be a production kube context.\nIf you're sure you want to continue add:\n\
             \tallow_k8s_contexts('gke')\nbefore this function call in your Tiltfile. Otherwise, switch k8s contexts and \
             restart Tilt."
        )
    );
    assert!(refused("local('x')\nallow_k8s_contexts('gke')", |_| {}).is_some());
    assert_eq!(
        refused("allow_k8s_contexts(['a', 'gke'])\nlocal('x')", |_| {}),
        None
    );
    assert_eq!(refused("local('x')", |request| request.kube.name.clear()), None);
    assert_eq!(refused("local('x')", |request| request.is_main = false), None);
    assert_eq!(
        refused("local('x')", |request| request.kube.product = Product::Kind),
        None
    );
}
