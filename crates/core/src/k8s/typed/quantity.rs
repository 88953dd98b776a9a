//! Quantities such as `100m` and `1.5Gi`, in the canonical form in which Go writes them.
//!
//! Rule: `k8s.io/apimachinery/pkg/api/resource`, `ParseQuantity` and `Quantity.CanonicalizeBytes`.

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
pub(super) struct NotAQuantity;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

/// Returns a quantity in canonical form. One that is too large to be computed with stays as it is.
pub(super) fn canonical(text: &str) -> Result<String, NotAQuantity> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(NotAQuantity);
    }
    let (form, base, exponent) = meaning(suffix)?;
    let digits: Result<i128, _> = format!("{whole}{fraction}").parse();
    let Some(value) = digits.ok().and_then(|digits| scaled(digits, base, exponent)) else {
        return Ok(text.to_owned());
    };
    let places = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let scale = if base == 10 { exponent - places } else { -places };
    let sign = if text.starts_with('-') { "-" } else { "" };
    Ok(match written(value, scale, form) {
        Some(shown) if shown == "0" => shown,
        Some(shown) => format!("{sign}{shown}"),
        None => text.to_owned(),
    })
}

/// Multiplies by a power of two where the suffix says so.
fn scaled(digits: i128, base: i32, exponent: i32) -> Option<i128> {
    if base == 10 {
        return Some(digits);
    }
    digits.checked_mul(1_i128.checked_shl(exponent.unsigned_abs())?)
}

/// Returns what a suffix stands for: a form, and base and exponent of a factor.
fn meaning(suffix: &str) -> Result<(Form, i32, i32), NotAQuantity> {
    let known = match suffix {
        "n" => Some((Form::Decimal, 10, -9)),
        "u" => Some((Form::Decimal, 10, -6)),
        "m" => Some((Form::Decimal, 10, -3)),
        "" => Some((Form::Decimal, 10, 0)),
        "k" => Some((Form::Decimal, 10, 3)),
        "M" => Some((Form::Decimal, 10, 6)),
        "G" => Some((Form::Decimal, 10, 9)),
        "T" => Some((Form::Decimal, 10, 12)),
        "P" => Some((Form::Decimal, 10, 15)),
        "E" => Some((Form::Decimal, 10, 18)),
        "Ki" => Some((Form::Binary, 2, 10)),
        "Mi" => Some((Form::Binary, 2, 20)),
        "Gi" => Some((Form::Binary, 2, 30)),
        "Ti" => Some((Form::Binary, 2, 40)),
        "Pi" => Some((Form::Binary, 2, 50)),
        "Ei" => Some((Form::Binary, 2, 60)),
        _ => None,
    };
    let exponent = || {
        let digits = suffix.strip_prefix(['e', 'E'])?;
        let exponent: i32 = digits.parse().ok()?;
        (exponent.abs() <= 18).then_some((Form::Exponent, 10, exponent))
    };
    known.or_else(exponent).ok_or(NotAQuantity)
}

/// Writes `value * 10^scale`; `None` when that overflows.
fn written(mut value: i128, mut scale: i32, form: Form) -> Option<String> {
    if value == 0 {
        return Some("0".to_owned());
    }
    while value % 10 == 0 {
        value /= 10;
        scale += 1;
    }
    // Nothing is finer than a billionth; what is gets rounded up.
    while scale < -9 {
        value = (value + 9) / 10;
        scale += 1;
    }
    if form == Form::Binary && scale >= 0 {
        let whole = value.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
        if whole >= 1024 {
            return Some(binary(whole));
        }
    }
    while scale.rem_euclid(3) != 0 {
        value = value.checked_mul(10)?;
        scale -= 1;
    }
    if form == Form::Exponent {
        return Some(match scale {
            0 => value.to_string(),
            _ => format!("{value}e{scale}"),
        });
    }
    const SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    let at = usize::try_from(scale / 3 + 3).ok()?;
    SUFFIXES.get(at).map(|suffix| format!("{value}{suffix}"))
}

fn binary(mut value: i128) -> String {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut at = 0;
    while value % 1024 == 0 && at + 1 < SUFFIXES.len() {
        value /= 1024;
        at += 1;
    }
    format!("{value}{}", SUFFIXES[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_go_writes_them() {
        for (text, expected) in [
            ("0.1", "100m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("2147483648", "2147483648"),
            ("1000000", "1M"),
            ("1500", "1500"),
            ("12000", "12k"),
            ("120000", "120k"),
            ("1e9", "1e9"),
            ("1E3", "1e3"),
            ("1500e0", "1500"),
            ("512", "512"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("0.1Gi", "107374182400m"),
            ("0", "0"),
            ("0Mi", "0"),
            ("-1500m", "-1500m"),
            ("+1", "1"),
            (".5", "500m"),
            ("1.", "1"),
            ("1e-3", "1e-3"),
            ("0.0000000001", "1n"),
            ("250m", "250m"),
            (
                "99999999999999999999999999999999999999999",
                "99999999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_quantities() {
        for text in ["", "x", "1x", "1.2.3", "Mi", "1 Gi", "1gi", "e3", "1e", "-"] {
            assert_eq!(canonical(text), Err(NotAQuantity), "{text:?}");
        }
    }
}
