//! What a scalar of YAML means: YAML 1.1's booleans and numbers, with Go's rules where that leaves a choice.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::model::format_go_float;

/// A scalar as data.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number that only fits without a sign.
    Large(u64),
    Float(f64),
    Text(String),
}

/// What a scalar's tag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Anything,
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
}

const PREFIX: &str = "tag:yaml.org,2002:";

/// Returns what a scalar without quotes, or with a tag, means.
///
/// # Errors
/// A sentence, when it is not what its tag says.
pub(super) fn resolve(tag: Option<&str>, text: &str) -> Result<Scalar, String> {
    let short = tag.map(|tag| tag.strip_prefix(PREFIX));
    let wanted = match short {
        None => Wanted::Anything,
        Some(Some("null")) => Wanted::Null,
        Some(Some("bool")) => Wanted::Bool,
        Some(Some("int")) => Wanted::Int,
        Some(Some("float")) => Wanted::Float,
        Some(Some("timestamp")) => Wanted::Timestamp,
        Some(Some("binary")) => return binary(text),
        Some(_) => return Ok(Scalar::Text(text.to_owned())),
    };
    let meant = untagged(text);
    match (wanted, &meant) {
        (Wanted::Anything, _)
        | (Wanted::Null, Scalar::Null)
        | (Wanted::Bool, Scalar::Bool(_))
        | (Wanted::Int, Scalar::Int(_) | Scalar::Large(_))
        | (Wanted::Float, Scalar::Float(_)) => Ok(meant),
        // The amount is as exact as a float can be.
        (Wanted::Float, Scalar::Int(number)) => Ok(Scalar::Float(*number as f64)),
        (Wanted::Timestamp, Scalar::Text(_)) if is_timestamp(text) => Ok(meant),
        _ => {
            let (is, wanted) = (kind(&meant, text), tag.unwrap_or_default());
            let wanted = wanted.replace(PREFIX, "!!");
            Err(format!("cannot decode !!{is} `{text}` as a {wanted}"))
        }
    }
}

fn kind(scalar: &Scalar, text: &str) -> &'static str {
    match scalar {
        Scalar::Null => "null",
        Scalar::Bool(_) => "bool",
        Scalar::Int(_) | Scalar::Large(_) => "int",
        Scalar::Float(_) => "float",
        Scalar::Text(_) if is_timestamp(text) => "timestamp",
        Scalar::Text(_) => "str",
    }
}

fn untagged(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.bytes().next() {
        Some(b'.') => float(text),
        Some(b'0'..=b'9' | b'+' | b'-') => number(&text.replace('_', "")),
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

fn number(text: &str) -> Option<Scalar> {
    whole(text).or_else(|| float(text))
}

/// Reads a whole number with its base: `0x1f`, `0o17`, `017`, `0b11`, `-12`.
fn whole(text: &str) -> Option<Scalar> {
    let (is_negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, base) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&unsigned[2..], 16),
        [b'0', b'o' | b'O', ..] => (&unsigned[2..], 8),
        [b'0', b'b' | b'B', ..] => (&unsigned[2..], 2),
        [b'0', _, ..] => (&unsigned[1..], 8),
        _ => (unsigned, 10),
    };
    // `from_str_radix` takes a sign, which has been cut off here.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let amount = i128::from(u64::from_str_radix(digits, base).ok()?);
    let number = if is_negative { -amount } else { amount };
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => Some(Scalar::Int(number)),
        // A sign rules a number out that needs all 64 bits.
        (_, Ok(number)) if unsigned.len() == text.len() => Some(Scalar::Large(number)),
        _ => None,
    }
}

/// Reads `1.5`, `.5`, `1.`, `1e3`; what is too large for a float is text.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    if !is_mantissa || !is_exponent {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then_some(Scalar::Float(float))
}

fn binary(text: &str) -> Result<Scalar, String> {
    use base64::Engine;
    let compact: String = text.split(['\n', '\r']).collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
    let text = String::from_utf8(bytes);
    text.map(Scalar::Text)
        .map_err(|_| "!!binary value is no text: its bytes are no UTF-8".to_owned())
}

impl Scalar {
    /// Returns the scalar as JSON has it.
    ///
    /// # Errors
    /// A sentence, for a number that JSON does not have.
    pub(super) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Int(number) => number.into(),
            Self::Large(number) => (number as f64).into(),
            Self::Float(number) if !number.is_finite() => {
                return Err(format!("json: unsupported value: {}", infinite(number)));
            }
            Self::Float(number) => from_float(number),
            Self::Text(text) => text.into(),
        })
    }

    /// Returns the scalar as a key.
    ///
    /// # Errors
    /// A sentence, for what cannot be one.
    pub(super) fn into_key(self) -> Result<String, String> {
        let unfit = |what: &str| Err(format!("unsupported map key of type: {what}"));
        match self {
            Self::Text(text) => Ok(text),
            Self::Int(number) => Ok(number.to_string()),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Float(number) if number.is_nan() => Ok(".nan".to_owned()),
            Self::Float(number) if number.is_infinite() => {
                Ok(if number > 0.0 { ".inf" } else { "-.inf" }.to_owned())
            }
            // As precise as Go makes it here.
            Self::Float(number) => {
                let short = format!("{}", number as f32);
                Ok(format_go_float(short.parse().unwrap_or(number)))
            }
            Self::Large(number) => unfit(&format!("uint64, key: {number}")),
            Self::Null => unfit("null"),
        }
    }
}

/// A float without a fraction is a whole number in JSON, as long as 64 bits hold it.
pub(super) fn from_float(number: f64) -> Value {
    // Go writes it with as few digits as tell it from others, and reads these.
    let whole = (number.fract() == 0.0).then(|| format!("{number}").parse::<i64>().ok());
    match whole.flatten() {
        Some(whole) => whole.into(),
        None => number.into(),
    }
}

fn infinite(number: f64) -> &'static str {
    match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

/// Returns whether a text is a date: `2024-02-29`, alone or with a time.
pub(super) fn is_timestamp(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(text.split_at(at).1)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Some(year) = digits(year, 4..=4) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let n_days = match digits(month, 1..=2) {
        Some(4 | 6 | 9 | 11) => 30,
        Some(2) if is_leap => 29,
        Some(2) => 28,
        Some(1..=12) => 31,
        _ => return false,
    };
    let is_day = digits(day, 1..=2).is_some_and(|day| (1..=n_days).contains(&day));
    is_day && time.is_none_or(is_time)
}

/// Returns whether a text is a time: a `T` before it asks for a zone after it, a blank forbids one.
fn is_time(text: &str) -> bool {
    let (time, zone) = match text[1..].find(['Z', '+', '-']) {
        Some(at) => (&text[1..=at], Some(&text[at + 1..])),
        None => (&text[1..], None),
    };
    let mut parts = time.splitn(3, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (hour, minute, seconds) = (part(), part(), part());
    let (second, fraction) = match seconds.split_once('.') {
        Some((second, fraction)) => (second, Some(fraction)),
        None => (seconds, None),
    };
    let below = |text: &str, end: u32| digits(text, 1..=2).is_some_and(|number| number < end);
    let is_fraction = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = match zone {
        None => text.starts_with(' '),
        Some(zone) => !text.starts_with(' ') && is_zone(zone),
    };
    below(hour, 24) && below(minute, 60) && below(second, 60) && fraction.is_none_or(is_fraction) && is_zone
}

/// Returns the number that a text is, if it has so many digits.
fn digits(text: &str, lengths: RangeInclusive<usize>) -> Option<u32> {
    let fits = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

fn is_zone(text: &str) -> bool {
    text == "Z"
        || text[1..].split_once(':').is_some_and(|(hours, minutes)| {
            digits(hours, 2..=2).is_some_and(|hours| hours <= 24)
                && digits(minutes, 2..=2).is_some_and(|minutes| minutes < 60)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(rows: &[(&str, Value)]) {
        for (text, expected) in rows {
            let value = resolve(None, text).and_then(Scalar::into_value);
            assert_eq!(value, Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn numbers_have_bases_signs_and_underscores() {
        check(&[
            ("12_000.5", json!(12000.5)),
            ("1__0", json!(10)),
            ("1_", json!(1)),
            ("_1", json!("_1")),
            ("0_1", json!(1)),
            ("010", json!(8)),
            ("08", json!(8)),
            ("0o17", json!(15)),
            ("0o8", json!("0o8")),
            ("-0x1F", json!(-31)),
            ("+0x1F", json!(31)),
            ("0b1010_0111", json!(167)),
            ("-0b11", json!(-3)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("-.5", json!(-0.5)),
            ("1.5e+3", json!(1500)),
            ("1e", json!("1e")),
            ("-", json!("-")),
            ("--1", json!("--1")),
            ("+-1", json!("+-1")),
            ("0x-1", json!("0x-1")),
            ("1e2.5", json!("1e2.5")),
            ("190:20:30", json!("190:20:30")),
        ]);
    }

    #[test]
    fn what_64_bits_do_not_hold_is_a_float_and_what_a_float_does_not_hold_is_text() {
        check(&[
            ("9007199254740993", json!(9_007_199_254_740_993_i64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_f64)),
            (
                "123456789012345678901234567890",
                json!(1.234_567_890_123_456_8e29),
            ),
            ("-9223372036854775809", json!(-9_223_372_036_854_775_809_f64)),
            ("1e15", json!(1_000_000_000_000_000_i64)),
            ("1e400", json!("1e400")),
        ]);
        assert!(resolve(None, ".inf").and_then(Scalar::into_value).is_err());
    }

    #[test]
    fn only_some_spellings_of_booleans_and_null_count() {
        check(&[
            ("TRUE", json!(true)),
            ("tRue", json!("tRue")),
            ("y", json!(true)),
            ("Off", json!(false)),
            ("nULL", json!("nULL")),
            ("", json!(null)),
        ]);
    }

    #[test]
    fn tags_say_what_is_wanted() {
        let tagged = |tag: &str, text: &str| {
            resolve(Some(&format!("{PREFIX}{tag}")), text).and_then(Scalar::into_value)
        };
        assert_eq!(tagged("str", ""), Ok(json!("")));
        assert_eq!(tagged("str", "1"), Ok(json!("1")));
        assert_eq!(tagged("float", "3"), Ok(json!(3)));
        assert_eq!(tagged("bool", "yes"), Ok(json!(true)));
        assert_eq!(tagged("binary", "aGk="), Ok(json!("hi")));
        assert_eq!(tagged("mine", "1"), Ok(json!("1")));
        assert_eq!(resolve(Some("!"), "1"), Ok(Scalar::Text("1".to_owned())));
        for (tag, text) in [
            ("int", "x"),
            ("int", "1.5"),
            ("null", "x"),
            ("binary", "!"),
            ("timestamp", "x"),
        ] {
            assert!(tagged(tag, text).is_err(), "!!{tag} {text}");
        }
    }

    #[test]
    fn keys_become_text_but_for_null() {
        let key = |text: &str| resolve(None, text).and_then(Scalar::into_key);
        for (text, expected) in [
            ("on", "true"),
            ("010", "8"),
            ("1.10", "1.1"),
            ("1e6", "1e+06"),
            (".inf", ".inf"),
        ] {
            assert_eq!(key(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(key("~").is_err());
    }
}
