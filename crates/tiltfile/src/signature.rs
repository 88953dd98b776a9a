//! Parameters of a built-in, written as in its documentation, and how arguments are bound to them.

use starlark::eval::Arguments;
use starlark::values::{Heap, Value};

use super::fault::{Fault, Outcome};
use super::native;
use super::wording;
use crate::diag::nearest;

/// The parameters of a built-in, parsed from a text such as `workload='', new_name='', *, entity=?`.
///
/// `x` is required, `x=D` optional (`?`: unset by default), what precedes `/` is taken by position only, what follows `*`
/// by keyword only, `*xs` and `**xs` take the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    parameters: Vec<Parameter>,
    positional: usize,
    rest: bool,
    keywords: bool,
    /// Whether there is a `/`: then nothing is taken by keyword.
    by_position: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    required: bool,
}

/// The arguments of one call, by parameter.
#[derive(Debug, Default)]
pub(super) struct Bound<'v> {
    /// Each with whether it was given by keyword.
    values: Vec<Option<(Value<'v>, bool)>>,
    /// What `*xs` took.
    pub(super) rest: Vec<Value<'v>>,
    /// What `**xs` took.
    pub(super) keywords: Vec<(String, Value<'v>)>,
}

impl Signature {
    /// Parses the text of a signature.
    pub(super) fn parse(text: &str) -> Self {
        let mut signature = Self::default();
        let mut keyword_only = false;
        for item in split(text) {
            if item.starts_with("**") {
                signature.keywords = true;
            } else if item == "/" {
                signature.by_position = true;
            } else if let Some(name) = item.strip_prefix('*') {
                keyword_only = true;
                signature.rest = !name.is_empty();
            } else {
                let name = item.split('=').next().unwrap_or_default();
                signature.parameters.push(Parameter {
                    name: name.to_owned(),
                    required: !item.contains('='),
                });
                if !keyword_only {
                    signature.positional += 1;
                }
            }
        }
        signature
    }

    /// Returns it as one that takes arguments by position only, unless it takes any keywords.
    pub(super) fn by_position(self) -> Self {
        Self {
            by_position: !self.keywords,
            ..self
        }
    }

    /// Returns where a parameter stands.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.parameters
            .iter()
            .position(|parameter| parameter.name == name)
    }

    /// Binds arguments of a built-in to parameters. `check` is asked about each when it is bound, with the place of its parameter and
    /// whether it was given by keyword: so of several faults the first in the call is told.
    ///
    /// # Errors
    /// In Go's words.
    ///
    /// Rule: `docs/rules/tiltfile.md`, "Arguments"; starlark-go's `UnpackArgs` and `UnpackPositionalArgs`.
    pub(super) fn bind<'v>(
        &self,
        builtin: &str,
        arguments: &Arguments<'v, '_>,
        heap: Heap<'v>,
        mut check: impl FnMut(usize, Value<'v>, bool) -> Outcome<()>,
    ) -> Outcome<Bound<'v>> {
        if self.by_position {
            if !arguments.names_map().map_err(no_arguments)?.is_empty() {
                return Err(Fault::new(native::no_keywords(builtin)));
            }
            let got = arguments.positions(heap).map_err(no_arguments)?.count();
            let least = self
                .parameters
                .iter()
                .filter(|parameter| parameter.required)
                .count();
            if got < least || got > self.positional {
                return Err(Fault::new(native::wrong_number(
                    builtin,
                    got,
                    least,
                    self.positional,
                )));
            }
        }
        let mut bound = Bound {
            values: vec![None; self.parameters.len()],
            ..Bound::default()
        };
        let given: Vec<Value<'v>> = arguments.positions(heap).map_err(no_arguments)?.collect();
        if given.len() > self.positional && !self.rest {
            return Err(Fault::new(format!(
                "{builtin}: got {} arguments, want at most {}",
                given.len(),
                self.positional
            )));
        }
        for (at, value) in given.into_iter().enumerate() {
            if at < self.positional {
                check(at, value, false)?;
                bound.values[at] = Some((value, false));
            } else {
                bound.rest.push(value);
            }
        }
        for (name, value) in arguments.names_map().map_err(no_arguments)? {
            let at = self
                .bind_keyword(&mut bound, name.as_str(), value)
                .map_err(|fault| fault.map_message(|message| format!("{builtin}: {message}")))?;
            at.map_or(Ok(()), |at| check(at, value, true))?;
        }
        let missing = self
            .parameters
            .iter()
            .zip(&bound.values)
            .find(|(parameter, value)| parameter.required && value.is_none());
        match missing {
            Some((parameter, _)) => Err(Fault::new(format!(
                "{builtin}: missing argument for {}",
                parameter.name
            ))),
            None => Ok(bound),
        }
    }

    /// Returns the place of the parameter, if it has one of its own.
    fn bind_keyword<'v>(
        &self,
        bound: &mut Bound<'v>,
        name: &str,
        value: Value<'v>,
    ) -> Outcome<Option<usize>> {
        match self.index(name) {
            Some(at) if bound.values[at].is_some() => Err(Fault::new(format!(
                "got multiple values for keyword argument \"{name}\""
            ))),
            Some(at) => {
                bound.values[at] = Some((value, true));
                Ok(Some(at))
            }
            None if self.keywords => {
                bound.keywords.push((name.to_owned(), value));
                Ok(None)
            }
            None => {
                let known = self.parameters.iter().map(|parameter| parameter.name.as_str());
                let near = nearest(name, known).map(|near| format!(" (did you mean {near}?)"));
                Err(Fault::new(format!(
                    "unexpected keyword argument \"{name}\"{}",
                    near.unwrap_or_default()
                )))
            }
        }
    }
}

/// How a fault begins where what `*` or `**` stands before cannot be arguments: it is the caller's, and not one of the function.
pub(super) const NO_ARGUMENTS: &str = "argument after *";

/// Returns the fault that what `*` or `**` stands before cannot be arguments.
fn no_arguments(error: starlark::Error) -> Fault {
    let text = error.without_diagnostic().to_string();
    let kind = text.strip_prefix("Operation `(iter)` not supported on type `");
    match kind.and_then(|rest| rest.split('`').next()) {
        Some(kind) => Fault::new(format!("{NO_ARGUMENTS} must be iterable, not {kind}")),
        None => Fault::new(wording::of_arguments(&text)),
    }
}

impl<'v> Bound<'v> {
    /// Returns the argument at a parameter's place, and whether it was given by keyword.
    pub(super) fn get(&self, at: usize) -> Option<(Value<'v>, bool)> {
        self.values.get(at).copied().flatten()
    }
}

/// Splits at commas outside quotes and brackets.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut quote, mut start) = (0_usize, None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(text[start..].trim());
    items.retain(|item| !item.is_empty());
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_from_its_text() {
        let signature = Signature::parse("a, b={}, c=', ', *, d=?, **more");
        let names: Vec<&str> = signature.parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(signature.parameters[0].required && !signature.parameters[3].required);
        assert_eq!(
            (signature.positional, signature.rest, signature.keywords),
            (3, false, true)
        );
        assert!(Signature::parse("*args, sep=' '").rest);
        assert_eq!(Signature::parse(""), Signature::default());
    }
}
