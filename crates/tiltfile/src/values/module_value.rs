//! Attributes of modules that are no functions: what they are is known only while a file is evaluated.
//!
//! The evaluator reads attributes without saying for whom, so what they need is kept for the thread that evaluates.

use std::cell::RefCell;
use std::sync::Arc;

use starlark::values::list::AllocList;
use starlark::values::{Heap, Value};

use super::Environ;
use crate::LoadRequest;
use crate::host::Variables;

/// An attribute that is no function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModuleValue {
    /// `os.environ`.
    Environ,
    /// `sys.argv`.
    Argv,
    /// `sys.executable`.
    Executable,
    /// `config.main_path`.
    MainPath,
    /// `config.main_dir`.
    MainDir,
    /// `config.tilt_subcommand`.
    Subcommand,
}

struct Facts {
    request: LoadRequest,
    variables: Arc<dyn Variables>,
}

thread_local! {
    static FACTS: RefCell<Vec<Facts>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what attributes are as long as a file is evaluated.
pub(crate) struct Kept(());

impl Kept {
    /// Begins the evaluation of a file on this thread.
    pub(crate) fn new(request: &LoadRequest, variables: Arc<dyn Variables>) -> Self {
        let request = request.clone();
        FACTS.with_borrow_mut(|facts| facts.push(Facts { request, variables }));
        Self(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        FACTS.with_borrow_mut(Vec::pop);
    }
}

/// Returns the environment variables as the file that is evaluated sees them.
pub(super) fn variables() -> Option<Arc<dyn Variables>> {
    FACTS.with_borrow(|facts| Some(Arc::clone(&facts.last()?.variables)))
}

impl ModuleValue {
    /// Returns what it is, for the documentation.
    pub(crate) fn doc(self) -> &'static str {
        match self {
            Self::Environ => "dict: the environment variables, read and written at once",
            Self::Argv => "list of strings: the command line of this program",
            Self::Executable => "string: the path of this program",
            Self::MainPath => "string: the path of the main Tiltfile",
            Self::MainDir => "string: the directory of the main Tiltfile",
            Self::Subcommand => "string: the command that runs, such as `up`, `ci` or `down`",
        }
    }

    /// Returns the value of the attribute.
    pub(super) fn alloc<'v>(self, heap: Heap<'v>) -> Option<Value<'v>> {
        if self == Self::Environ {
            return Some(heap.alloc(Environ));
        }
        FACTS.with_borrow(|facts| {
            let request = &facts.last()?.request;
            Some(match self {
                Self::Environ => return None,
                Self::Argv => heap.alloc(AllocList(request.program.argv.iter().map(String::as_str))),
                Self::Executable => heap.alloc(request.program.executable.as_str()),
                Self::MainPath => heap.alloc(request.file.to_string()),
                Self::MainDir => heap.alloc(request.file.parent().to_string()),
                Self::Subcommand => heap.alloc(request.subcommand),
            })
        })
    }
}
