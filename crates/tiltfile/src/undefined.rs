//! All names of a file that nothing defines. The evaluator stops at the first; the linter of the same crate knows them all.

use std::collections::HashSet;

use starlark::analysis::AstModuleLint as _;
use starlark::environment::Module;
use starlark::{Error, ErrorKind};

use super::deferred::MOST;
use super::fault::Fault;
use super::session::Session;
use super::source::Source;
use super::wording;
use crate::model::{COMPATIBLE_VERSION, VersionConstraint};

impl Session<'_> {
    /// Returns the fault for the last name of a file that nothing defines, and keeps those of the others; `None` if the
    /// error is another one.
    pub(super) fn undefined(&self, error: &Error, source: &Source, module: &Module<'_>) -> Option<Fault> {
        if !matches!(error.kind(), ErrorKind::Scope(_)) {
            return None;
        }
        let known = self
            .vocabulary
            .globals
            .names()
            .map(|name| name.as_str().to_owned());
        let given = module.names().map(|name| name.as_str().to_owned());
        let known: HashSet<String> = known.chain(given).collect();
        let (again, parsed) = Source::parse(source.text.file(), source.text.text().to_owned());
        let mut lints = parsed.ok()?.lint(Some(&known));
        lints.retain(|lint| lint.short_name == "using-undefined");
        lints.sort_by_key(|lint| lint.location.span.begin());
        let mut seen = HashSet::new();
        lints.retain(|lint| seen.insert(lint.original.clone()));
        let mut faults = lints.iter().take(MOST).map(|lint| {
            let range = again.range(lint.location.span);
            let name = source.text.text().get(range.clone()).unwrap_or_default();
            let place = again.text.place(range.clone());
            wording::undefined(name, &source.assigned, &self.vocabulary.builtins)
                .map_message(|message| format!("{}: {message}", again.text.show(range.start)))
                .at(place)
        });
        let last = faults.next_back()?;
        let unmet = unmet_versions(source);
        self.faults
            .borrow_mut()
            .extend(unmet.chain(faults).map(|fault| fault.diagnostic()));
        Some(last)
    }
}

/// Returns the faults of versions that the file asks for, which it had no chance to say: a name may be missing for that reason.
fn unmet_versions(source: &Source) -> impl Iterator<Item = Fault> {
    source.constraints.iter().filter_map(|(written, range)| {
        let constraint = VersionConstraint::parse(written).ok()?;
        let fault = (!constraint.matches(COMPATIBLE_VERSION)).then(|| wording::unmet_version(written))?;
        Some(
            fault
                .map_message(|message| format!("{}: {message}", source.text.show(range.start)))
                .at(source.text.place(range.clone())),
        )
    })
}
