//! What a shape is: the arguments of a constructor, their types, and the fields of the API that they set.

/// What an object, or a part of one, is made of.
pub(super) struct Shape {
    /// The name of the constructor, without its module.
    pub(super) name: &'static str,
    /// The fields in the order of the constructor's arguments.
    pub(super) fields: &'static [Field],
}

/// One argument of a constructor, and the field that it sets.
pub(super) struct Field {
    pub(super) argument: &'static str,
    /// The field's name in the API.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether the field is there even if it is empty.
    pub(super) shown: bool,
}

/// The types of fields.
pub(super) enum Kind {
    Text,
    /// Text for which an empty one is not the same as none.
    MaybeText,
    Flag,
    Number,
    Strings,
    StringMap,
    Path,
    /// A path that is the current directory when it is not given.
    PathOrHere,
    Paths,
    Duration,
    Time,
    Part(&'static Shape),
    /// A part that is there even if it is not given.
    FixedPart(&'static Shape),
    Parts(&'static Shape),
    /// A part whose fields belong to the whole.
    Inlined(&'static Shape),
}

impl Kind {
    /// Returns what a user gives for a field of this type.
    pub(super) fn description(&self) -> String {
        let text = match self {
            Self::Text | Self::MaybeText => "string",
            Self::Flag => "bool",
            Self::Number => "int",
            Self::Strings => "list of strings, or None",
            Self::StringMap => "dict of strings, or None",
            Self::Path => "path",
            Self::PathOrHere => "path; the current directory by default",
            Self::Paths => "path, or list of paths",
            Self::Duration => "duration",
            Self::Time => "time as in `2026-01-31T12:00:00Z`",
            Self::Part(shape) | Self::FixedPart(shape) | Self::Inlined(shape) => {
                return format!("`v1alpha1.{}`", shape.name);
            }
            Self::Parts(shape) => return format!("list of `v1alpha1.{}`, or None", shape.name),
        };
        text.to_owned()
    }
}
