//! How far a container's log was read, so that reading it again neither loses nor repeats a line.
//!
//! The API server can be asked for lines from a whole second on. So the times of the lines of the last second are kept:
//! on the next reading, a line with one of these times was written already.

use std::collections::HashMap;

const SECOND: i64 = 1_000_000_000;

/// The place up to which lines were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    second: Option<i64>,
    /// Nanoseconds since 1970 of each line written in that second or after.
    times: Vec<i64>,
}

/// Lines that were written already, by time: how many of each.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct Written(HashMap<i64, u32>);

impl Position {
    /// Notes that a line was written.
    pub(in crate::edge) fn wrote(&mut self, time: i64) {
        let second = time.div_euclid(SECOND);
        // A container has two outputs; a line of one may come after a later one of the other.
        if self.second.is_none_or(|known| second > known) {
            self.second = Some(second);
            self.times.clear();
        }
        if self.second == Some(second) {
            self.times.push(time);
        }
    }

    /// Returns the second to read from, in seconds since 1970; `None` if nothing was written.
    pub(in crate::edge) fn second(&self) -> Option<i64> {
        self.second
    }

    /// Returns whether a line of this time comes after all that were written.
    pub(super) fn is_before(&self, time: i64) -> bool {
        self.times.iter().all(|written| *written < time)
    }

    /// Returns what the next reading will find again.
    pub(in crate::edge) fn written(&self) -> Written {
        let mut counts = HashMap::new();
        for time in &self.times {
            *counts.entry(*time).or_default() += 1;
        }
        Written(counts)
    }
}

impl Written {
    /// Returns whether a line of this time was written already; each counts once.
    pub(in crate::edge) fn take(&mut self, time: i64) -> bool {
        match self.0.get_mut(&time) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    /// Returns whether the next line of this time was written already.
    pub(in crate::edge) fn contains(&self, time: i64) -> bool {
        self.0.get(&time).is_some_and(|count| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_last_second_are_kept() {
        let mut position = Position::default();
        for time in [
            SECOND,
            SECOND + 1,
            3 * SECOND,
            2 * SECOND + 5,
            3 * SECOND + 7,
            3 * SECOND,
        ] {
            position.wrote(time);
        }
        assert_eq!(position.second(), Some(3));
        let mut written = position.written();
        assert!(written.take(3 * SECOND) && written.take(3 * SECOND) && !written.take(3 * SECOND));
        assert!(written.contains(3 * SECOND + 7) && !written.contains(SECOND));
    }
}
