//! The operator `%` on a string.
//!
//! Rule: the conversions of Go's interpreter. `%i` and `%(name)s` are there, widths and precisions are not.

use starlark::values::dict::DictRef;
use starlark::values::float::UnpackFloat;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, UnpackValue, Value};

use super::fault::{Fault, Outcome};
use super::kinds::type_name;
use super::show;

/// Returns a format with its conversions replaced by values.
pub(super) fn format<'v>(format: &str, right: Value<'v>, heap: Heap<'v>) -> Outcome<String> {
    let mut values = Values::of(right);
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let value = match rest.strip_prefix('(') {
            None => values.next()?,
            Some(named) => {
                let Some((name, after)) = named.split_once(')') else {
                    return Err(Fault::new("incomplete format key"));
                };
                rest = after;
                values.named(name)?
            }
        };
        let Some(verb) = rest.chars().next() else {
            return Err(Fault::new("incomplete format"));
        };
        convert(verb, value, heap, &mut out)?;
        rest = &rest[verb.len_utf8()..];
    }
    out.push_str(rest);
    values.finish()?;
    Ok(out)
}

/// The values on the right of the operator.
struct Values<'v> {
    whole: Value<'v>,
    items: Vec<Value<'v>>,
    used: usize,
    named: bool,
}

impl<'v> Values<'v> {
    fn of(right: Value<'v>) -> Self {
        let items = match TupleRef::from_value(right) {
            Some(tuple) => tuple.iter().collect(),
            None => vec![right],
        };
        Self {
            whole: right,
            items,
            used: 0,
            named: false,
        }
    }

    fn next(&mut self) -> Outcome<Value<'v>> {
        let value = self.items.get(self.used).copied();
        self.used += 1;
        value.ok_or_else(|| Fault::new("not enough arguments for format string"))
    }

    fn named(&mut self, name: &str) -> Outcome<Value<'v>> {
        self.named = true;
        let dict = DictRef::from_value(self.whole).ok_or_else(|| Fault::new("format requires a mapping"))?;
        dict.get_str(name)
            .ok_or_else(|| Fault::new(format!("key not found: {name}")))
    }

    fn finish(&self) -> Outcome<()> {
        let is_mapping = self.named || DictRef::from_value(self.whole).is_some();
        if self.used < self.items.len() && !is_mapping {
            return Err(Fault::new("too many arguments for format string"));
        }
        Ok(())
    }
}

fn convert<'v>(verb: char, value: Value<'v>, heap: Heap<'v>, out: &mut String) -> Outcome<()> {
    let text = match verb {
        's' => show::text(value, heap),
        'r' => show::repr(value, heap),
        'd' | 'i' | 'o' | 'x' | 'X' => whole(verb, value)?,
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => fraction(verb, value)?,
        'c' => character(value)?,
        other => return Err(Fault::new(format!("unknown conversion %{other}"))),
    };
    out.push_str(&text);
    Ok(())
}

fn whole(verb: char, value: Value<'_>) -> Outcome<String> {
    let kind = type_name(value);
    if kind == "int" && matches!(verb, 'd' | 'i') {
        return Ok(value.to_str());
    }
    let number = match kind {
        "int" => i64::unpack_value(value).ok().flatten(),
        // Go cuts off the fraction.
        "float" => UnpackFloat::unpack_value(value)
            .ok()
            .flatten()
            .map(|UnpackFloat(float)| float as i64),
        _ => None,
    };
    let Some(number) = number else {
        return Err(Fault::new(format!(
            "%{verb} format requires integer: cannot convert {kind} to int"
        )));
    };
    let (sign, amount) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    Ok(match verb {
        'o' => format!("{sign}{amount:o}"),
        'x' => format!("{sign}{amount:x}"),
        'X' => format!("{sign}{amount:X}"),
        _ => number.to_string(),
    })
}

fn fraction(verb: char, value: Value<'_>) -> Outcome<String> {
    let number = match type_name(value) {
        "int" | "float" => UnpackFloat::unpack_value(value).ok().flatten(),
        _ => None,
    };
    let Some(UnpackFloat(float)) = number else {
        let kind = type_name(value);
        return Err(Fault::new(format!("%{verb} format requires float, not {kind}")));
    };
    let text = match verb {
        'f' | 'F' if float.is_finite() => format!("{float:.6}"),
        'e' | 'E' if float.is_finite() => {
            let text = format!("{float:.6e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        _ => show::go_float(float),
    };
    Ok(if verb.is_ascii_uppercase() {
        text.to_uppercase()
    } else {
        text
    })
}

fn character(value: Value<'_>) -> Outcome<String> {
    let found = match value.unpack_str() {
        Some(text) => {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none())
        }
        None => i64::unpack_value(value)
            .ok()
            .flatten()
            .filter(|_| type_name(value) == "int")
            .and_then(|number| char::from_u32(u32::try_from(number).ok()?)),
    };
    match found {
        Some(character) => Ok(character.to_string()),
        None => Err(Fault::new(
            "%c format requires a single-character string or a number of one",
        )),
    }
}
