//! `str.format`: `{}`, `{0}`, `{name}`, each perhaps with `!s` or `!r`.

use starlark::values::Value;

use super::text_call::TextCall;
use crate::fault::Outcome;
use crate::show;

/// Returns the text with its fields replaced.
pub(super) fn format(call: &TextCall<'_>) -> Outcome<String> {
    let mut fields = Fields {
        call,
        next: 0,
        numbering: None,
    };
    let mut out = String::new();
    let mut rest = call.me();
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
        } else if brace == "}" {
            return Err(call.fault("single '}' in format"));
        } else {
            let Some((field, after)) = after.split_once('}') else {
                return Err(call.fault("unmatched '{' in format"));
            };
            out.push_str(&fields.shown(field)?);
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Automatic,
    Manual,
}

struct Fields<'c, 'v> {
    call: &'c TextCall<'v>,
    next: usize,
    numbering: Option<Numbering>,
}

impl<'v> Fields<'_, 'v> {
    fn shown(&mut self, field: &str) -> Outcome<String> {
        let (name, conversion, spec) = match field.split_once('!') {
            Some((name, rest)) => match rest.split_once(':') {
                Some((conversion, spec)) => (name, conversion, spec),
                None => (name, rest, ""),
            },
            None => match field.split_once(':') {
                Some((name, spec)) => (name, "s", spec),
                None => (field, "s", ""),
            },
        };
        let value = self.value(name)?;
        if !spec.is_empty() {
            let why = format!("format spec features not supported in replacement fields: {spec}");
            return Err(self.call.fault(&why));
        }
        match conversion {
            "s" => Ok(show::text(value, self.call.heap)),
            "r" => Ok(show::repr(value, self.call.heap)),
            other => Err(self.call.fault(&format!("unknown conversion {other:?}"))),
        }
    }

    fn value(&mut self, name: &str) -> Outcome<Value<'v>> {
        let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        if name.is_empty() {
            self.number_as(Numbering::Automatic)?;
            self.next += 1;
            return self.positional(self.next - 1);
        }
        if is_number {
            self.number_as(Numbering::Manual)?;
            return self.positional(name.parse().unwrap_or(usize::MAX));
        }
        let keywords = &self.call.bound.keywords;
        if let Some((_, value)) = keywords.iter().find(|(keyword, _)| keyword == name) {
            return Ok(*value);
        }
        let why = if name.contains('.') {
            format!("attribute syntax x.y is not supported in replacement fields: {name}")
        } else if name.contains('[') {
            format!("element syntax a[i] is not supported in replacement fields: {name}")
        } else if name.contains('{') {
            "nested replacement fields not supported".to_owned()
        } else {
            format!("keyword {name} not found")
        };
        Err(self.call.fault(&why))
    }

    fn positional(&self, at: usize) -> Outcome<Value<'v>> {
        let value = self.call.bound.rest.get(at).copied();
        value.ok_or_else(|| self.call.fault("tuple index out of range"))
    }

    fn number_as(&mut self, wanted: Numbering) -> Outcome<()> {
        match *self.numbering.get_or_insert(wanted) {
            numbering if numbering == wanted => Ok(()),
            Numbering::Manual => Err(self
                .call
                .fault("cannot switch from manual field specification to automatic field numbering")),
            Numbering::Automatic => Err(self
                .call
                .fault("cannot switch from automatic field numbering to manual field specification")),
        }
    }
}
