//! The order in which the keys of a mapping are written: for people, as Go's library does it.
//!
//! Punctuation comes before letters, and numbers within keys are compared by their amount: `a2` before `a10`.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// Returns the fields in the order in which they are written.
pub(super) fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut ordered: Vec<(&String, &Value)> = Vec::with_capacity(fields.len());
    // It is no order that a sort of the library may be given: `2` < `12` < `1a` < `2`.
    let mut by_text: Vec<(&String, &Value)> = fields.iter().collect();
    by_text.sort_by_key(|(key, _)| *key);
    for field in by_text {
        let at = ordered.partition_point(|(key, _)| compare(key, field.0) != Ordering::Greater);
        ordered.insert(at, field);
    }
    ordered
}

fn compare(left: &str, right: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let Some(at) = left.iter().zip(&right).position(|(left, right)| left != right) else {
        return left.len().cmp(&right.len());
    };
    let (l, r) = (left[at], right[at]);
    match (l.is_alphabetic(), r.is_alphabetic()) {
        (true, true) => l.cmp(&r),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let lead = u128::from((l == '0' || r == '0') && has_amount(&left[..at]));
            let (l_amount, r_amount) = (number(&left[at..], lead), number(&right[at..], lead));
            l_amount.cmp(&r_amount).then(l.cmp(&r))
        }
    }
}

/// Returns whether the digits at the end of a text are more than zeros.
fn has_amount(before: &[char]) -> bool {
    let digits = before.iter().rev().take_while(|c| c.is_numeric());
    digits.into_iter().any(|c| *c != '0')
}

/// Returns the amount of the digits with which a text begins, after a digit before them, and how many there are.
fn number(text: &[char], lead: u128) -> (u128, usize) {
    let digits = text.iter().map_while(|c| c.to_digit(10));
    digits.fold((lead, 0), |(amount, n_digits), digit| {
        (
            amount.saturating_mul(10).saturating_add(u128::from(digit)),
            n_digits + 1,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &[&str]) {
        let fields: Map<String, Value> = expected
            .iter()
            .rev()
            .map(|key| ((*key).to_owned(), Value::Null))
            .collect();
        let keys: Vec<&str> = in_order(&fields)
            .into_iter()
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(keys, expected);
    }

    #[test]
    fn letters_come_after_punctuation_and_digits() {
        check(&["", "{}", "{0}", "aXbX", "b", "ß", "é"]);
        check(&["_a", "1", "A", "a"]);
    }

    #[test]
    fn numbers_within_keys_are_compared_by_amount() {
        check(&["a1", "a2", "a02", "a10", "a100", "a10b"]);
        check(&["0_", "0b11", "0x1f", "1.", "12", "1e400"]);
    }
}
