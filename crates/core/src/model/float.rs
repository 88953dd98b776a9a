//! Floats as Go writes them.

/// Returns the shortest text that reads back as the same number, with an exponent from six digits on.
///
/// Rule: Go's `strconv.FormatFloat(f, 'g', -1, 64)`, which its YAML and Starlark use.
pub fn format_go_float(float: f64) -> String {
    if !float.is_finite() {
        return match float {
            f if f.is_nan() => "nan".to_owned(),
            f if f > 0.0 => "+inf".to_owned(),
            _ => "-inf".to_owned(),
        };
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_all_their_digits() {
        let rows = [
            (1e10, "1e+10"),
            (123_456_789.0, "1.23456789e+08"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456.0, "123456"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (1.0 / 3.0, "0.3333333333333333"),
            (-0.0, "-0"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+inf"),
        ];
        for (float, text) in rows {
            assert_eq!(format_go_float(float), text);
        }
    }
}
