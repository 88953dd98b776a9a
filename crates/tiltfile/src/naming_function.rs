//! Which function of a Tiltfile names resources, kept until workloads are known.

use starlark::values::OwnedFrozenValue;

use crate::diag::Place;

/// The function that names resources.
pub(super) struct NamingFunction {
    /// The variable that holds it in its module until that is frozen. No file can write this name.
    pub(super) variable: String,
    /// The function, once its module is frozen.
    pub(super) function: Option<OwnedFrozenValue>,
    pub(super) n_parameters: usize,
    pub(super) name: String,
    /// Where it is.
    pub(super) place: Place,
}

impl NamingFunction {
    /// Returns where the function is, as in `/src/Tiltfile:5:1`.
    pub(super) fn position(&self) -> String {
        let Place {
            file, line, column, ..
        } = &self.place;
        format!("{file}:{line}:{column}")
    }
}
