//! Keeps what the evaluator cannot bear from ending this program: values that are too large, and faults of its own.
//!
//! The evaluator panics where a single value would pass 4 GiB. Such a panic ends the evaluation with a fault.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::fault::{Fault, Outcome};

/// All values of a file together may take this much.
pub(super) const MAX_HEAP_BYTES: usize = 1 << 30;

thread_local! {
    static GUARDED: Cell<usize> = const { Cell::new(0) };
    static CAUSE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Does a piece of evaluation; a panic in it becomes a fault.
pub(super) fn guarded<T>(file: &str, evaluate: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let outer = take_hook();
        set_hook(Box::new(move |info| {
            if GUARDED.get() == 0 {
                outer(info);
            } else {
                CAUSE.set(cause(info));
            }
        }));
    });
    GUARDED.set(GUARDED.get() + 1);
    let outcome = catch_unwind(AssertUnwindSafe(evaluate));
    GUARDED.set(GUARDED.get() - 1);
    outcome.unwrap_or_else(|_| Err(fault(file, &CAUSE.take())))
}

/// Returns the fault that the values of a file take too much memory.
pub(super) fn too_large(file: &str) -> Fault {
    Fault::new(format!("{file}: a value grew too large"))
        .hint("look for a loop that never ends, or for text or lists that are doubled again and again")
}

fn fault(file: &str, cause: &str) -> Fault {
    if cause.contains("len overflow") || cause.contains("AlignedSize") || cause.contains("capacity overflow")
    {
        return too_large(file);
    }
    Fault::new(format!("{file}: internal error: {cause}")).hint("this is a fault of tilt; please report it")
}

fn cause(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    match info.location() {
        Some(at) => format!("{text} (at {}:{})", at.file(), at.line()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault() {
        let fault = guarded::<()>("/src/Tiltfile", || panic!("len overflow")).unwrap_err();
        assert_eq!(fault.to_string(), "/src/Tiltfile: a value grew too large");
        let fault = guarded::<()>("/src/Tiltfile", || panic!("no {}", "idea")).unwrap_err();
        assert!(
            fault
                .to_string()
                .starts_with("/src/Tiltfile: internal error: no idea (at crates/tiltfile/src/"),
            "{fault}"
        );
        assert!(guarded("", || Ok(1)).is_ok());
    }
}
