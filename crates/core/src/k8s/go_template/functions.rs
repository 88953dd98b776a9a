//! What templates can call: the functions of Go's `text/template`, and those that kubectl adds.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const FUNCTIONS: [&str; 21] = [
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "call",
    "exists",
    "base64decode",
];

pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// Returns whether a value counts as true: it is neither empty nor zero.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Returns a value as Go prints it.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inner_text).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", inner_text(value)))
                .collect();
            format!("map[{}]", fields.join(" "))
        }
        other => other.to_string(),
    }
}

fn inner_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        other => text_of(other),
    }
}

/// Calls a function.
///
/// # Errors
/// Why it cannot be called so.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let first = || {
        args.first()
            .ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"))
    };
    let rest = args.get(1..).unwrap_or_default();
    Ok(match name {
        "and" => args
            .iter()
            .find(|arg| !is_true(arg))
            .or(args.last())
            .cloned()
            .unwrap_or_default(),
        "or" => args
            .iter()
            .find(|arg| is_true(arg))
            .or(args.last())
            .cloned()
            .unwrap_or_default(),
        "not" => (!is_true(first()?)).into(),
        "len" => match first()? {
            Value::String(text) => text.len().into(),
            Value::Array(items) => items.len().into(),
            Value::Object(fields) => fields.len().into(),
            _ => return Err("len of nil pointer".to_owned()),
        },
        "index" => rest
            .iter()
            .try_fold(first()?.clone(), |value, at| index(&value, at))?,
        "slice" => slice(first()?, rest)?,
        "print" => print(args).into(),
        "println" => {
            let texts: Vec<String> = args.iter().map(inner_text).collect();
            format!("{}\n", texts.join(" ")).into()
        }
        "printf" => printf(&text_of(first()?), rest).into(),
        "html" => escaped(&print(args), html).into(),
        "js" => escaped(&print(args), js).into(),
        "urlquery" => urlquery(&print(args)).into(),
        "eq" => rest.iter().any(|other| equal(&args[0], other)).into(),
        "ne" => (!equal(first()?, args.get(1).unwrap_or(&Value::Null))).into(),
        "lt" => compared(args)?.is_lt().into(),
        "le" => compared(args)?.is_le().into(),
        "gt" => compared(args)?.is_gt().into(),
        "ge" => compared(args)?.is_ge().into(),
        "exists" => {
            let mut at = Some(first()?.clone());
            for step in rest {
                at = at
                    .and_then(|value| index(&value, step).ok())
                    .filter(|value| !value.is_null());
            }
            at.is_some().into()
        }
        "base64decode" => {
            let bytes = STANDARD
                .decode(text_of(first()?))
                .map_err(|error| error.to_string())?;
            String::from_utf8_lossy(&bytes).into_owned().into()
        }
        _ => return Err("a value of JSON is no function".to_owned()),
    })
}

fn index(value: &Value, at: &Value) -> Result<Value, String> {
    match (value, at) {
        (Value::Object(fields), Value::String(name)) => Ok(fields.get(name).cloned().unwrap_or_default()),
        (Value::Array(items), at) => {
            let place = at
                .as_i64()
                .ok_or_else(|| format!("cannot index slice/array with {}", text_of(at)))?;
            let item = usize::try_from(place).ok().and_then(|place| items.get(place));
            item.cloned()
                .ok_or_else(|| format!("index out of range: {place}"))
        }
        (Value::Null, _) => Err("index of untyped nil".to_owned()),
        (_, at) => Err(format!("can't index item with {}", text_of(at))),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let bound = |at: usize, default: usize| match bounds.get(at) {
        None => Some(default),
        Some(bound) => bound.as_u64().and_then(|bound| usize::try_from(bound).ok()),
    };
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        _ => return Err("can't slice item".to_owned()),
    };
    let out = || "index out of range".to_owned();
    let (from, to) = (bound(0, 0).ok_or_else(out)?, bound(1, length).ok_or_else(out)?);
    match value {
        Value::String(text) => text.get(from..to).map(Value::from).ok_or_else(out),
        Value::Array(items) => items.get(from..to).map(Value::from).ok_or_else(out),
        _ => Err(out()),
    }
}

/// Spaces stand between two values of which neither is a text.
fn print(args: &[Value]) -> String {
    let mut text = String::new();
    for (at, arg) in args.iter().enumerate() {
        if at > 0 && !arg.is_string() && !args[at - 1].is_string() {
            text.push(' ');
        }
        text.push_str(&inner_text(arg));
    }
    text
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn compared(args: &[Value]) -> Result<Ordering, String> {
    let [a, b] = args else {
        return Err(format!("wrong number of args: want 2 got {}", args.len()));
    };
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        _ => a
            .as_f64()
            .zip(b.as_f64())
            .and_then(|(a, b)| a.partial_cmp(&b))
            .ok_or_else(|| "incompatible types for comparison".to_owned()),
    }
}

/// Fills in verbs such as `%s`, `%-10v`, `%05d` and `%.2f`.
fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let (mut flags, mut width, mut precision) = (String::new(), String::new(), None);
        while let Some(flag) = chars.next_if(|c| "+-# 0".contains(*c)) {
            flags.push(flag);
        }
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            width.push(digit);
        }
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            precision = Some(digits.parse::<usize>().unwrap_or_default());
        }
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let text = match args.next() {
            None => format!("%!{verb}(MISSING)"),
            Some(arg) => formatted(verb, precision, arg),
        };
        let pad = width
            .parse::<usize>()
            .unwrap_or_default()
            .saturating_sub(text.chars().count());
        if flags.contains('-') {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', pad));
        } else {
            let zero = flags.contains('0') && verb != 's';
            out.extend(std::iter::repeat_n(if zero { '0' } else { ' ' }, pad));
            out.push_str(&text);
        }
    }
    out
}

fn formatted(verb: char, precision: Option<usize>, arg: &Value) -> String {
    match verb {
        's' | 'v' => {
            let text = inner_text(arg);
            match precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            }
        }
        'q' => format!("{:?}", inner_text(arg)),
        'd' => match arg.as_i64() {
            Some(number) => number.to_string(),
            None => format!("%!d({})", inner_text(arg)),
        },
        'f' | 'F' => match arg.as_f64() {
            Some(number) => format!("{number:.*}", precision.unwrap_or(6)),
            None => format!("%!f({})", inner_text(arg)),
        },
        't' => inner_text(arg),
        'x' => match arg {
            Value::String(text) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            _ => arg
                .as_i64()
                .map_or_else(String::new, |number| format!("{number:x}")),
        },
        other => format!("%!{other}({})", inner_text(arg)),
    }
}

fn escaped(text: &str, escape: fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match escape(c) {
            Some(escape) => out.push_str(escape),
            None => out.push(c),
        }
    }
    out
}

fn html(c: char) -> Option<&'static str> {
    Some(match c {
        '<' => "&lt;",
        '>' => "&gt;",
        '&' => "&amp;",
        '"' => "&#34;",
        '\'' => "&#39;",
        _ => return None,
    })
}

fn js(c: char) -> Option<&'static str> {
    Some(match c {
        '\\' => "\\\\",
        '\'' => "\\'",
        '"' => "\\\"",
        '<' => "\\u003C",
        '>' => "\\u003E",
        '&' => "\\u0026",
        '=' => "\\u003D",
        '\n' => "\\u000A",
        _ => return None,
    })
}

fn urlquery(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
