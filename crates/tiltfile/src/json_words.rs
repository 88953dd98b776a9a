//! What is wrong with a JSON text, in the words of the original's library.

/// Returns what a reader of JSON complains of.
pub(super) fn json_words(error: &serde_json::Error, text: &str) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let said = error.to_string();
    let line = text
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    let Some(found) = rest.chars().next() else {
        return said;
    };
    let place = match said.split(" at line ").next().unwrap_or_default() {
        "trailing comma" if found == '}' => "looking for beginning of object key string",
        "expected value" | "trailing comma" => "looking for beginning of value",
        "expected `:`" => "after object key",
        "expected `,` or `]`" => "after array element",
        "expected `,` or `}`" => "after object key:value pair",
        "key must be a string" => "looking for beginning of object key string",
        "trailing characters" => "after top-level value",
        _ => return said,
    };
    format!("invalid character {found:?} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_as_the_original_tells_them() {
        for (text, expected) in [
            ("x", "invalid character 'x' looking for beginning of value"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("[1\n2]", "invalid character '2' after array element"),
            (
                "{\"a\": 1 \"b\"}",
                "invalid character '\"' after object key:value pair",
            ),
            (
                "{1: 2}",
                "invalid character '1' looking for beginning of object key string",
            ),
            ("{\"x\":", "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
            ("1 2", "invalid character '2' after top-level value"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).expect_err(text);
            assert_eq!(json_words(&error, text), expected, "{text}");
        }
    }
}
