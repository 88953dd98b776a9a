//! Faults that do not end a load at once, so that those which do not depend on each other are told together.
//!
//! A built-in that only declares something gives `None` whether it fails or not, so what follows does not depend on it.
//! The load has failed all the same: nothing is assembled, and before anything outside would be done it ends.

use starlark::eval::{CallStack, Evaluator};

use super::fault::Fault;
use super::session::Session;
use crate::diag::Diagnostic;

/// The built-ins whose faults can wait.
const DECLARING: &[&str] = &[
    "ci_settings",
    "custom_build",
    "dc_resource",
    "default_registry",
    "docker_build",
    "docker_prune_settings",
    "k8s_custom_deploy",
    "k8s_image_json_path",
    "k8s_kind",
    "k8s_resource",
    "k8s_yaml",
    "local_resource",
    "test",
    "update_settings",
    "v1alpha1.cmd",
    "v1alpha1.config_map",
    "v1alpha1.extension",
    "v1alpha1.extension_repo",
    "v1alpha1.file_watch",
    "v1alpha1.kubernetes_apply",
    "v1alpha1.kubernetes_discovery",
    "v1alpha1.ui_button",
    "watch_settings",
];

/// More faults than this help nobody: something is wrong with a loop.
pub(super) const MOST: usize = 20;

impl Session<'_> {
    /// Keeps the fault of a built-in for later, if it can wait.
    ///
    /// # Errors
    /// The fault, if it cannot.
    pub(super) fn defer(&self, name: &str, fault: Fault, stack: &CallStack) -> Result<(), Fault> {
        let n_faults = self.faults.borrow().len();
        if !DECLARING.contains(&name) || n_faults >= MOST {
            return Err(fault);
        }
        let (lines, inside) = self.lines(stack);
        let location = stack.frames.last().and_then(|frame| frame.location.as_ref());
        let place = location.and_then(|location| self.place(location, true));
        let mut way = self.outer_lines.borrow().clone();
        way.extend(lines);
        let diagnostic = fault.traced(way, Some(inside), place).diagnostic();
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&diagnostic) {
            faults.push(diagnostic);
        }
        Ok(())
    }

    /// Returns whether the load must end here, because it has failed already and would go on to act.
    pub(super) fn must_end(&self) -> bool {
        let must_end = !self.faults.borrow().is_empty();
        self.ended.set(self.ended.get() || must_end);
        must_end
    }

    /// Returns all that is wrong, with the fault that ended the load, in the order found.
    pub(super) fn all_faults(&self, last: Option<Fault>) -> Vec<Diagnostic> {
        let mut faults = self.faults.take();
        // One that came of ending the load early is none of the user's.
        faults.extend(last.filter(|_| !self.ended.get()).map(|fault| fault.diagnostic()));
        faults
    }

    /// Returns the lines that lead into another file; none for a built-in that runs no file.
    pub(super) fn way_into_file(&self, name: &str, eval: &Evaluator<'_, '_, '_>) -> Vec<String> {
        if !matches!(name, "include" | "load_dynamic") {
            return Vec::new();
        }
        let (mut lines, inside) = self.lines(&eval.call_stack());
        lines.push(format!("  <builtin>: in {inside}"));
        lines
    }

    /// Runs something whose frames lie below these lines of a traceback.
    pub(super) fn below<T>(&self, lines: Vec<String>, run: impl FnOnce() -> T) -> T {
        let n_before = self.outer_lines.borrow().len();
        self.outer_lines.borrow_mut().extend(lines);
        let result = run();
        self.outer_lines.borrow_mut().truncate(n_before);
        result
    }
}
