//! An image that is put into objects.

use crate::model::{BuiltImage, ImageSelector, Injection};

/// An image to put into objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedImage {
    /// Which references it replaces.
    pub selector: ImageSelector,
    /// What it was built as.
    pub built: BuiltImage,
    /// Where else it is looked for, and what its containers run.
    pub injection: Injection,
}
