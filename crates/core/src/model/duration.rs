//! Lengths of time as Go writes them: what Tilt's users type (`1h30m`, `300ms`) and read.

use std::time::Duration;

/// Returns the duration as Go prints it: `0s`, `1.5ms`, `15s`, `1m30s`, `30m0s`.
pub fn format_go_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000, 6)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = format!("{}s", decimal(nanos % 60_000_000_000, 1_000_000_000, 9));
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// Parses a duration in Go's syntax. Negative ones are refused: nothing here takes one.
///
/// # Errors
/// A sentence as Go words it, for a text without number, without unit, or with an unknown unit.
pub fn parse_go_duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            other => return Err(format!("time: unknown unit {other:?} in duration {text:?}")),
        };
        seconds += number * unit;
        rest = &rest[letters..];
    }
    // Go counts nanoseconds in 64 bits.
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| invalid())?;
    let fits = i64::try_from(duration.as_nanos()).is_ok();
    let is_negative = text.starts_with('-') && !duration.is_zero();
    if is_negative || !fits {
        return Err(invalid());
    }
    Ok(duration)
}

/// Returns `value / unit` with at most `places` decimals, without trailing zeros.
fn decimal(value: u128, unit: u128, places: usize) -> String {
    let (whole, rest) = (value / unit, value % unit);
    let fraction = format!("{rest:0places$}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        whole.to_string()
    } else {
        format!("{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        let rows = [
            (0, "0s"),
            (999, "999ns"),
            (1_500, "1.5µs"),
            (12_345_678, "12.345678ms"),
            (15_000_000_000, "15s"),
            (90_500_000_000, "1m30.5s"),
            (1_800_000_000_000, "30m0s"),
            (3_600_000_000_000, "1h0m0s"),
        ];
        for (nanos, text) in rows {
            assert_eq!(format_go_duration(Duration::from_nanos(nanos)), text);
            assert_eq!(parse_go_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_in_gos_words() {
        assert_eq!(
            parse_go_duration("5").unwrap_err(),
            "time: missing unit in duration \"5\""
        );
        assert_eq!(
            parse_go_duration("5d").unwrap_err(),
            "time: unknown unit \"d\" in duration \"5d\""
        );
        for text in ["-0", "+0", "-0s"] {
            assert_eq!(parse_go_duration(text), Ok(Duration::ZERO), "{text}");
        }
        for text in ["", "-", "x", "-5s", "1..2s", "9999999999999h"] {
            assert_eq!(
                parse_go_duration(text).unwrap_err(),
                format!("time: invalid duration {text:?}")
            );
        }
    }
}
