//! Pauses between attempts, for all that is asked again and again until it answers.

use std::time::Duration;

/// A pause that doubles from the first to the longest, each time that it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Returns pauses that begin with the first and never exceed the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// Returns how long to wait now; the next time it is twice as long.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Returns how long to wait now, without a longer pause the next time.
    pub fn current(&self) -> Duration {
        self.next
    }

    /// Begins with the first pause again: it worked.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns whether nothing was waited for since it last worked.
    pub fn is_fresh(&self) -> bool {
        self.next == self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_once_it_works() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let pauses: Vec<u64> = (0..5).map(|_| backoff.pause().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        assert!(!backoff.is_fresh());
        backoff.reset();
        assert!(backoff.is_fresh());
        assert_eq!(backoff.pause(), Duration::from_secs(1));
    }
}
