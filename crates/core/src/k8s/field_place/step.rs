//! A step of the path of a field.

/// Into a mapping, or into a list.
#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}
