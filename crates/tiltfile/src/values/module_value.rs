//! Attributes of modules that are no functions: what they are is known only while a file is evaluated.

use starlark::values::list::AllocList;
use starlark::values::{Heap, Value};

use super::environ::Environ;
use super::facts::with_request;

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
        with_request(|request| {
            Some(match self {
                Self::Environ => return None,
                Self::Argv => heap.alloc(AllocList(request.program.argv.iter().map(String::as_str))),
                Self::Executable => heap.alloc(request.program.executable.as_str()),
                Self::MainPath => heap.alloc(request.file.to_string()),
                Self::MainDir => heap.alloc(request.file.parent().to_string()),
                Self::Subcommand => heap.alloc(request.subcommand),
            })
        })
        .flatten()
    }
}
