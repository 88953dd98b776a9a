//! Whether output may have colour.

/// Returns whether output to a terminal may have colour.
pub(super) fn may_be_used(is_terminal: bool) -> bool {
    is_terminal
        && std::env::var_os("NO_COLOR").is_none()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
