//! `git.Repo`: a directory with a `.git`, which can be used as a path.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use super::Function;
use crate::call::{Builtin, Call};
use crate::fault::Outcome;
use crate::model::LocalPath;
use crate::session::Session;

/// A git repository on this machine.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct GitRepo {
    #[allocative(skip)]
    pub(crate) root: LocalPath,
}

starlark_simple_value!(GitRepo);

impl fmt::Display for GitRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[git.Repo] '{}'", self.root)
    }
}

#[starlark_value(type = "git.Repo")]
impl<'v> StarlarkValue<'v> for GitRepo {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        (attribute == "paths").then(|| heap.alloc(Function::method(&PATHS, self.root.clone())))
    }

    fn dir_attr(&self) -> Vec<String> {
        vec!["paths".to_owned()]
    }
}

static PATHS: Builtin = Builtin {
    name: "paths",
    signature: "paths",
    doc: "Returns the absolute path (string) of something in the repository. Args: `paths` (string): relative to its \
          root.",
    run: paths,
};

fn paths<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let path = call.required("paths").text()?;
    let root = call.owner.expect("a method is called on its repository");
    // As in the original: joined as text, so that an absolute path stays within, too.
    let joined = root.join(path.trim_start_matches('/'));
    Ok(call.heap().alloc(joined.to_string()))
}

impl Session<'_> {
    /// LP: returns the path that a string or a git repository means; `None` for other values.
    pub(crate) fn path(&self, value: Value<'_>) -> Option<LocalPath> {
        if let Some(repository) = GitRepo::from_value(value) {
            return Some(repository.root.clone());
        }
        Some(self.directory().join(value.unpack_str()?))
    }
}
