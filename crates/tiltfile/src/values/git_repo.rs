//! `git.Repo`: a directory with a `.git`, which can be used as a path.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use super::Function;
use crate::builtins::GIT_REPO_PATHS;
use crate::model::LocalPath;

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
        (attribute == "paths").then(|| heap.alloc(Function::method(&GIT_REPO_PATHS, self.root.clone())))
    }

    fn dir_attr(&self) -> Vec<String> {
        vec!["paths".to_owned()]
    }
}
