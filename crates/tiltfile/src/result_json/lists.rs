//! Lists as Go prints them.

use serde_json::{Value, json};

/// Go prints a list that was never made as `null`.
pub(super) fn list_or_null<T: serde::Serialize>(list: &[T]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}
