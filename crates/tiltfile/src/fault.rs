//! Why an evaluation stopped: a message, and the way there once it is known.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::diag::{Diagnostic, Place};
use crate::model::LocalPath;

/// The outcome of a piece of evaluation.
pub(super) type Outcome<T> = Result<T, Fault>;

/// Why an evaluation stopped. Cheap to clone, as a file that failed fails the same way each time it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Fault(Arc<Inner>);

#[derive(Clone, Debug, Default)]
struct Inner {
    trace: Vec<String>,
    builtin: Option<String>,
    message: String,
    place: Option<Place>,
    hints: Vec<String>,
    is_exit: bool,
    is_unmarked: bool,
}

impl Fault {
    /// Returns a fault without a place; the call that raised it gives it one.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            message: message.into(),
            ..Inner::default()
        }))
    }

    /// Returns what `exit()` raises: it ends the evaluation, and is no fault.
    pub(super) fn exit() -> Self {
        Self(Arc::new(Inner {
            message: "exit".to_owned(),
            is_exit: true,
            ..Inner::default()
        }))
    }

    /// Returns whether `exit()` raised it.
    pub(super) fn is_exit(&self) -> bool {
        self.0.is_exit
    }

    /// Shows no source line: the traceback says enough.
    #[must_use]
    pub(super) fn unmarked(self) -> Self {
        self.change(|inner| inner.is_unmarked = true)
    }

    /// Sets what is marked in the source, unless something is or a traceback leads elsewhere.
    #[must_use]
    pub(super) fn at_least(self, place: Place) -> Self {
        if self.0.place.is_some() || self.has_trace() {
            return self;
        }
        self.at(place)
    }

    /// Sets what is marked in the source.
    #[must_use]
    pub(super) fn at(self, place: Place) -> Self {
        self.change(|inner| inner.place = Some(place))
    }

    /// Adds a hint.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        self.change(|inner| inner.hints.push(hint.into()))
    }

    /// Changes the message.
    #[must_use]
    pub(super) fn map_message(self, change: impl FnOnce(&str) -> String) -> Self {
        self.change(|inner| inner.message = change(&inner.message))
    }

    /// Puts the frames above it before those that it has. Marks `place` unless something is marked already.
    ///
    /// A fault that has no frames yet was raised by `builtin`, or by an operator. One that has some came through
    /// `builtin`, which is shown between them.
    #[must_use]
    pub(super) fn traced(self, frames: Vec<String>, builtin: Option<String>, place: Option<Place>) -> Self {
        self.change(|inner| {
            let below = std::mem::replace(&mut inner.trace, frames);
            if below.is_empty() {
                inner.builtin = builtin;
            } else {
                let through = builtin.map(|name| format!("  <builtin>: in {name}"));
                inner.trace.extend(through);
                inner.trace.extend(below);
            }
            inner.place = inner.place.take().or(place);
        })
    }

    /// Returns whether the way there is known. Faults found before a file ran have none.
    pub(super) fn has_trace(&self) -> bool {
        !self.0.trace.is_empty()
    }

    /// Returns what is shown.
    pub(super) fn diagnostic(&self) -> Diagnostic {
        let inner = &self.0;
        let message = match (&inner.builtin, inner.trace.is_empty()) {
            (_, true) => inner.message.clone(),
            (Some(name), false) => {
                format!("{}\nError in {name}: {}", traceback(&inner.trace), inner.message)
            }
            (None, false) => format!("{}\nError: {}", traceback(&inner.trace), inner.message),
        };
        let mut diagnostic = Diagnostic::error(message);
        let place = inner.place.clone().filter(|_| !inner.is_unmarked);
        diagnostic.place = place.map(Box::new);
        diagnostic.hints.clone_from(&inner.hints);
        diagnostic
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

/// Returns frames under their heading. Of very many, those in the middle are counted only.
pub(super) fn traceback(frames: &[String]) -> String {
    const SHOWN_AT_EACH_END: usize = 25;
    let shown = match frames.len().checked_sub(2 * SHOWN_AT_EACH_END) {
        None | Some(0) => frames.join("\n"),
        Some(n_left_out) => {
            let (first, last) = (
                &frames[..SHOWN_AT_EACH_END],
                &frames[frames.len() - SHOWN_AT_EACH_END..],
            );
            format!(
                "{}\n  ({n_left_out} more calls)\n{}",
                first.join("\n"),
                last.join("\n")
            )
        }
    };
    format!("Traceback (most recent call last):\n{shown}")
}

/// Says why a file could not be read, as Go does.
pub(super) fn io_message(path: &LocalPath, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
        io::ErrorKind::PermissionDenied => format!("open {path}: permission denied"),
        io::ErrorKind::NotADirectory => format!("open {path}: not a directory"),
        io::ErrorKind::IsADirectory => format!("read {path}: is a directory"),
        _ => format!("read {path}: {error}"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for starlark::Error {
    fn from(fault: Fault) -> Self {
        starlark::Error::new_native(anyhow::Error::new(fault))
    }
}
