//! Built-ins about git repositories.

use starlark::values::Value;

use super::Builtin;
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::values::GitRepo;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "local_git_repo",
    signature: "paths",
    doc: "Returns the git repository at a path: a value that can be used wherever a path can, with a method \
          `paths(path)`. Args: `paths` (string): the directory that holds `.git`.",
    run: local_git_repo,
}];

/// The method of what `local_git_repo` returns.
pub(crate) static GIT_REPO_PATHS: Builtin = Builtin {
    name: "paths",
    signature: "paths",
    doc: "Returns the absolute path (string) of something in the repository. Args: `paths` (string): relative to its \
          root.",
    run: paths,
};

fn local_git_repo<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("paths");
    let root = session.directory().join(arg.text()?);
    if !session.host.exists(&root) {
        return Err(Fault::new(format!(
            "Reading paths {root}: stat {root}: no such file or directory"
        ))
        .at(arg.place()));
    }
    if !session.host.is_dir(&root.join(".git")) {
        return Err(Fault::new(format!(
            "{root} isn't a valid git repo: it doesn't have a .git/ directory"
        ))
        .at(arg.place()));
    }
    Ok(call.heap().alloc(GitRepo { root }))
}

fn paths<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let path = call.required("paths").text()?;
    let root = call.owner.expect("a method is called on its repository");
    // As in the original: joined as text, so that an absolute path stays within, too.
    let joined = root.join(path.trim_start_matches('/'));
    Ok(call.heap().alloc(joined.to_string()))
}
