//! Argument kinds: what a parameter accepts, and the words for what it refuses.
//!
//! Rule: `docs/rules/tiltfile.md`, "Arguments". Each kind is a method of [`Arg`].

use std::collections::{BTreeMap, BTreeSet};

use starlark::values::Value;
use starlark::values::dict::DictRef;

use super::call::Arg;
use super::fault::{Fault, Outcome};
use super::kinds::{elements, go_type, list_or_tuple, stringable, type_name};
use super::session::Session;
use super::show;
use crate::model::LocalPath;

impl<'v> Arg<'v> {
    /// `str`: a string, nothing else.
    pub(super) fn text(&self) -> Outcome<&'v str> {
        self.value
            .unpack_str()
            .ok_or_else(|| self.unfit(format!("got {}, want string", type_name(self.value))))
    }

    /// `bool`: exactly a bool.
    pub(super) fn boolean(&self) -> Outcome<bool> {
        self.value
            .unpack_bool()
            .ok_or_else(|| self.unfit(format!("got {}, want bool", type_name(self.value))))
    }

    /// Seq of strings: a list, tuple, set or dict.
    pub(super) fn strings(&self) -> Outcome<Vec<String>> {
        let Some(items) = elements(self.value, self.heap) else {
            let got = type_name(self.value);
            return Err(self.unfit(format!("got {got}, want starlark.Sequence")));
        };
        let text = |item: Value<'v>| {
            item.unpack_str().map(str::to_owned).ok_or_else(|| {
                self.fault(format!(
                    "{}: '{}' is a {}, not a string",
                    self.name,
                    show::text(item, self.heap),
                    go_type(item)
                ))
            })
        };
        items.into_iter().map(text).collect()
    }

    /// AnySeq: the elements of a sequence; nothing for `None`; else the value itself.
    pub(super) fn one_or_many(&self) -> Vec<Value<'v>> {
        match elements(self.value, self.heap) {
            Some(items) => items,
            None if self.value.is_none() => Vec::new(),
            None => vec![self.value],
        }
    }

    /// LP: a path, made absolute.
    pub(super) fn path(&self, session: &Session<'_>) -> Outcome<LocalPath> {
        self.path_of(self.value, session)
    }

    /// LP, for a value within the argument.
    pub(super) fn path_of(&self, value: Value<'v>, session: &Session<'_>) -> Outcome<LocalPath> {
        session.path(value).ok_or_else(|| self.no_path(value))
    }

    /// The fault for what is no path.
    pub(super) fn no_path(&self, value: Value<'v>) -> Fault {
        self.unfit(format!("expected path | string. Actual type: {}", go_type(value)))
    }

    /// StrMap: a dict from text to text.
    pub(super) fn text_map(&self) -> Outcome<BTreeMap<String, String>> {
        if self.value.is_none() {
            return Ok(BTreeMap::new());
        }
        let Some(dict) = DictRef::from_value(self.value) else {
            return Err(self.unfit(format!("expected dict, got {}", go_type(self.value))));
        };
        let text = |what: &str, value: Value<'v>| {
            stringable(value).ok_or_else(|| {
                let (got, shown) = (go_type(value), show::text(value, self.heap));
                self.unfit(format!("{what} is not a string: {got} ({shown})"))
            })
        };
        dict.iter()
            .map(|(key, value)| Ok((text("key", key)?, text("value", value)?)))
            .collect()
    }

    /// Labels: a label or several, each valid as name and value of a Kubernetes label, without a prefix.
    pub(super) fn labels(&self) -> Outcome<BTreeSet<String>> {
        let label = |value: Value<'v>, is_within: bool| {
            let Some(label) = value.unpack_str() else {
                let got = type_name(value);
                return Err(self.unfit(if is_within {
                    format!("Value should be convertible to string, but is type {got}")
                } else {
                    format!("value should be a label or List or Tuple of labels, but is of type {got}")
                }));
            };
            match label_problem(label) {
                Some(why) => Err(self.unfit(format!("Invalid label \"{label}\": {why}"))),
                None => Ok(label.to_owned()),
            }
        };
        match list_or_tuple(self.value) {
            Some(items) => items.into_iter().map(|item| label(item, true)).collect(),
            None if self.value.is_none() => Ok(BTreeSet::new()),
            None => Ok(BTreeSet::from([label(self.value, false)?])),
        }
    }

    /// Name: text that can be a segment of a path.
    pub(super) fn segment(&self) -> Outcome<String> {
        let Some(name) = stringable(self.value) else {
            let got = type_name(self.value);
            return Err(self.unfit(format!(
                "Value should be convertible to string, but is type {got}"
            )));
        };
        let problem = match name.as_str() {
            "." | ".." => Some(format!("may not be '{name}'")),
            _ if name.contains('/') => Some("may not contain '/'".to_owned()),
            _ if name.contains('%') => Some("may not contain '%'".to_owned()),
            _ => None,
        };
        match problem {
            Some(why) => Err(self.unfit(format!("invalid value \"{name}\": {why}"))),
            None => Ok(name),
        }
    }

    /// Strings of `ignore=` and `only=`: one or several, without newlines.
    pub(super) fn patterns(&self) -> Outcome<Vec<String>> {
        let name = self.name;
        let pattern = |value: Value<'v>| match value.unpack_str() {
            None => Err(self.plain_fault(format!(
                "{name} must be a string or a sequence of strings; found a {}",
                go_type(value)
            ))),
            Some(text) if text.contains('\n') => {
                Err(self.plain_fault(format!("{name} cannot contain newlines; found {name}: {text:?}")))
            }
            Some(text) => Ok(text.to_owned()),
        };
        self.one_or_many().into_iter().map(pattern).collect()
    }

    fn plain_fault(&self, message: String) -> Fault {
        Fault::new(message).at(self.place())
    }
}

/// Returns why a text is no label: neither a name of a Kubernetes label nor a value of one.
fn label_problem(label: &str) -> Option<String> {
    const FORM: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                        validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    if label.contains('/') {
        return Some(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and \
             end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                .to_owned(),
        );
    }
    if label.is_empty() {
        return Some(format!("name part must be non-empty, name part {FORM}"));
    }
    if label.len() > 63 {
        return Some("name part must be no more than 63 bytes".to_owned());
    }
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    let valid = edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner);
    (!valid).then(|| format!("name part {FORM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_names_without_a_prefix() {
        for good in ["a", "web-1", "A.b_c", "0"] {
            assert_eq!(label_problem(good), None, "{good}");
        }
        for bad in ["", "a/b", "-a", "a.", "?0987wrong!", &"x".repeat(64)] {
            assert!(label_problem(bad).is_some(), "{bad}");
        }
    }
}
