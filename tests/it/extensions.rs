//! Extensions: which file `ext://NAME` means, and what is said when there is none.

use tilt::model::ApiKind;
use tilt::tiltfile::MemoryHost;

use crate::support::{errors, load, load_with, request};

const OFFICIAL: &str = "https://github.com/tilt-dev/tilt-extensions";

/// A Tiltfile that prints, so that it needs no resources.
fn prints(tiltfile: &str, host: MemoryHost) -> String {
    let mut request = request();
    request.subcommand = "down";
    let host = host.with_file("/src/Tiltfile", tiltfile);
    let (load, log) = load_with(&request, &host);
    assert_eq!(load.error_text(), None, "{tiltfile}");
    log
}

fn official(files: &[(&str, &str)]) -> MemoryHost {
    let host = MemoryHost::default().with_repo(OFFICIAL, "", "/data/official");
    files.iter().fold(host, |host, (path, content)| {
        host.with_file(&format!("/data/official/{path}"), *content)
    })
}

#[test]
fn a_name_is_a_folder_of_the_official_repository() {
    let host = official(&[(
        "namespace/Tiltfile",
        "def f():\n    return os.getcwd()\nwhere = os.getcwd()\n",
    )]);
    let log = prints("load('ext://namespace', 'f', 'where')\nprint(f(), where)\n", host);
    assert_eq!(log, "/src /data/official/namespace\n");
}

#[test]
fn all_ways_to_load_know_extensions() {
    let host = official(&[
        ("a/Tiltfile", "x = 1\n"),
        ("b/Tiltfile", "print('b')\n"),
        ("c/Tiltfile", "_y = 2\n"),
    ]);
    let tiltfile = "load('ext://a', 'x')\ninclude('ext://b')\nprint(x, load_dynamic('ext://c')['_y'])\n";
    assert_eq!(prints(tiltfile, host), "b\n1 2\n");
}

#[test]
fn a_registered_default_repository_serves_every_extension() {
    let rows = [
        ("url='file:///repo'", "/repo/tools/deep/Tiltfile"),
        ("url='https://example.com/ours'", "/data/ours/tools/deep/Tiltfile"),
        (
            "url='https://example.com/ours', ref='v1'",
            "/data/ours-v1/tools/deep/Tiltfile",
        ),
        (
            "url='https://example.com/ours', git_subpath='ext'",
            "/data/ours/ext/tools/deep/Tiltfile",
        ),
        (
            "url='https://example.com/ours', git_subpath='/ext/'",
            "/data/ours/ext/tools/deep/Tiltfile",
        ),
    ];
    for (arguments, file) in rows {
        let host = MemoryHost::default()
            .with_repo("https://example.com/ours", "", "/data/ours")
            .with_repo("https://example.com/ours", "v1", "/data/ours-v1")
            .with_file(file, "here = __file__\n");
        let tiltfile = format!(
            "v1alpha1.extension_repo(name='default', {arguments})\nload('ext://tools/deep', 'here')\nprint(here)\n"
        );
        assert_eq!(prints(&tiltfile, host), format!("{file}\n"));
    }
}

#[test]
fn a_load_host_is_the_first_part_of_a_name() {
    let host = official(&[("acme/x/Tiltfile", "here = 'official'\n")])
        .with_file("/repo/x/Tiltfile", "here = 'ours'\n");
    let register = "v1alpha1.extension_repo(name='ours', url='file:///repo', load_host='acme')\n";
    let rest = "load('ext://acme/x', 'here')\nprint(here)\n";
    assert_eq!(prints(&format!("{register}{rest}"), host.clone()), "ours\n");
    assert_eq!(prints(rest, host), "official\n");
}

#[test]
fn a_registered_extension_wins_over_all_else() {
    let host = official(&[("acme/x/Tiltfile", "here = 'official'\n")])
        .with_file("/repo/x/Tiltfile", "here = 'by host'\n")
        .with_file("/repo/y/z/Tiltfile", "here = 'registered'\n");
    let tiltfile = "v1alpha1.extension_repo(name='ours', url='file:///repo', load_host='acme')\n\
                    v1alpha1.extension(name='acme_x', repo_name='ours', repo_path='y/z')\n\
                    load('ext://acme/x', 'here')\nprint(here)\n";
    assert_eq!(prints(tiltfile, host), "registered\n");
}

#[test]
fn objects_of_loaded_extensions_are_kept_and_their_files_watched() {
    let host =
        official(&[("a/b/Tiltfile", "x = 1\n")]).with_file("/src/Tiltfile", "load('ext://a/b', 'x')\n");
    let (load, _) = load_with(&request(), &host);
    let extension = load
        .objects
        .get(ApiKind::Extension, "a_b")
        .expect("the extension");
    assert_eq!(
        (extension.text("repoName"), extension.text("repoPath")),
        ("default", "a/b")
    );
    assert_eq!(extension.annotations["tilt.dev/managed-by"], "tiltfile.loader");
    let repo = load
        .objects
        .get(ApiKind::ExtensionRepo, "default")
        .expect("the repository");
    assert_eq!(repo.text("url"), OFFICIAL);
    let watched: Vec<String> = load.config_files.iter().map(ToString::to_string).collect();
    assert!(
        watched.contains(&"/data/official/a/b/Tiltfile".to_owned()),
        "{watched:?}"
    );
}

#[test]
fn a_repository_is_fetched_once_in_a_session() {
    let with = official(&[("a/Tiltfile", "x = 1\n")]).with_file("/src/Tiltfile", "load('ext://a', 'x')\n");
    let without = MemoryHost::new("--- Tiltfile\nload('ext://a', 'x')\n")
        .with_file("/data/official/a/Tiltfile", "x = 1\n");
    let mut request = request();
    request.subcommand = "down";
    assert!(
        load_with(&request, &without).0.error_text().is_some(),
        "it cannot be fetched"
    );
    assert_eq!(load_with(&request, &with).0.error_text(), None);
    assert_eq!(
        load_with(&request, &without).0.error_text(),
        None,
        "it was fetched before"
    );
}

#[test]
fn an_unregistered_repository_is_the_official_one_with_a_warning() {
    let host = official(&[("e/Tiltfile", "x = 1\n")]).with_file(
        "/src/Tiltfile",
        "v1alpha1.extension_repo(name='company', url='file:///repo')\n\
         v1alpha1.extension(name='e', repo_name='compny', repo_path='e')\nload('ext://e', 'x')\n",
    );
    let mut request = request();
    request.subcommand = "down";
    let (load, _) = load_with(&request, &host);
    assert_eq!(load.error_text(), None);
    let warning = load.warnings.first().expect("a warning").render();
    assert!(
        warning.contains("\"compny\", which is not registered"),
        "{warning}"
    );
    assert!(warning.contains("did you mean \"company\"?"), "{warning}");
}

#[test]
fn a_missing_extension_is_said_to_be_missing_with_its_reason() {
    let register = "v1alpha1.extension_repo(name='default', url='file:///src/ext')\n";
    let rows = [
        (
            register,
            "load('ext://nothing', 'x')",
            "cannot load ext://nothing: loading extension nothing: no extension tiltfile found at /src/ext/nothing/Tiltfile",
        ),
        (
            register,
            "load('ext://helo', 'x')",
            "hint: did you mean \"ext://hello\"?",
        ),
        (
            register,
            "load('ext://tools/dep', 'x')",
            "hint: did you mean \"ext://tools/deep\"?",
        ),
        (
            register,
            "include('ext://nothing')",
            "Error in include: loading extension nothing: no extension",
        ),
        (
            register,
            "load('ext://../../etc', 'x')",
            "loading extension .._.._etc: invalid repo path: ../../etc",
        ),
        (
            "v1alpha1.extension_repo(name='default', url='file:///src/ext', ref='v1')\n",
            "load('ext://hello', 'x')",
            "loading extension repo default: spec.ref not supported on file:// repos",
        ),
        (
            "v1alpha1.extension_repo(name='default', url='file:///nowhere')\n",
            "load('ext://hello', 'x')",
            "loading extension repo default: loading: stat /nowhere: no such file or directory",
        ),
        (
            "v1alpha1.extension_repo(name='default', url='file:///src/Tiltfile')\n",
            "load('ext://hello', 'x')",
            "loading extension repo default: loading: /src/Tiltfile is not a directory",
        ),
        (
            "",
            "load('ext://hello', 'x')",
            "loading extension repo default: download error: fatal: there is no network",
        ),
        (
            "",
            "load('ext://hello', 'x')",
            "hint: without a network, clone it elsewhere and register the copy before the first load: v1alpha1.extension_repo(name='default', url='file:///path/to/the/copy')",
        ),
        (
            register,
            "load('ext://hello', 'helo')",
            "name helo not found in module ext://hello",
        ),
    ];
    for (first, second, says) in rows {
        let error = errors(&format!(
            "--- Tiltfile\n{first}{second}\n--- ext/hello/Tiltfile\nhello = 1\n--- ext/tools/deep/Tiltfile\n"
        ));
        assert!(error.contains(says), "{first}{second}\nsays\n{error}");
        let line = 1 + first.lines().count();
        assert!(error.contains(&format!("/src/Tiltfile:{line}:")), "{error}");
    }
}

#[test]
fn a_fault_in_an_extension_is_shown_with_the_way_there() {
    let load = load(
        "--- Tiltfile\nv1alpha1.extension_repo(name='default', url='file:///src/ext')\nload('ext://a', 'f')\nf()\n\
         --- ext/a/Tiltfile\ndef f():\n    fail('no')\n",
    );
    let error = load.error_text().expect("it fails");
    assert!(
        error
            .contains("/src/Tiltfile:3:2: in <toplevel>\n  /src/ext/a/Tiltfile:2:9: in f\nError in fail: no"),
        "{error}"
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_an_extension_is_called_it_stays_in_its_repository(name in "[a-z./%@ ~:-]{0,16}") {
        let host = official(&[]).with_file("/etc/Tiltfile", "x = 1\n").with_file("/data/Tiltfile", "x = 1\n");
        let host = host.with_file("/src/Tiltfile", format!("load('ext://{name}', 'x')\n"));
        let (load, _) = load_with(&request(), &host);
        let error = load.error_text().unwrap_or_default();
        proptest::prop_assert!(error.contains("cannot load ext://"), "{name}: {error}");
    }
}
