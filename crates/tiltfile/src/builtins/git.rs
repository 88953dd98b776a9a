//! Built-ins about git repositories.

use starlark::values::Value;

use crate::call::{Builtin, Call};
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
