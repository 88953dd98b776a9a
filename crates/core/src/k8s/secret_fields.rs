//! Which fields of an object hold what must not be shown.

/// Returns the fields of a kind of objects whose values nobody may see; none, but for Secrets.
pub fn secret_fields(api_version: &str, kind: &str) -> &'static [&'static str] {
    match (api_version, kind) {
        ("v1", "Secret") => &["data", "stringData"],
        _ => &[],
    }
}
