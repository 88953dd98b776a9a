//! How long to wait before a watch is tried again.

use std::time::{Duration, Instant};

use crate::model::Backoff;

/// Whoever switches a cluster on again sees its state within five seconds.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
/// How long a watch must have worked to be healthy again.
const HEALTHY: Duration = Duration::from_secs(1);

/// The pauses of one watch: the first is silent, the second is told.
pub(super) struct Pauses {
    pauses: Backoff,
    is_told: bool,
    resumed: Option<Instant>,
    worked: bool,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            pauses: PAUSES,
            is_told: false,
            resumed: None,
            worked: false,
        }
    }
}

impl Pauses {
    /// Notes that something was received.
    pub(super) fn worked(&mut self) {
        self.worked = true;
    }

    /// Returns how long to wait after an error, and whether to tell the user.
    pub(super) fn after_error(&mut self, now: Instant) -> (Duration, bool) {
        let long_enough = self
            .resumed
            .is_none_or(|resumed| now.duration_since(resumed) > HEALTHY);
        if self.worked && long_enough {
            (self.pauses, self.is_told) = (PAUSES, false);
        }
        let told = !self.pauses.is_fresh() && !self.is_told;
        self.is_told |= told;
        let pause = self.pauses.pause();
        self.resumed = Some(now + pause);
        self.worked = false;
        (pause, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pause_is_silent_the_next_is_told_and_then_it_is_said() {
        let mut now = crate::clock::now();
        let mut pauses = Pauses::default();
        let mut all = Vec::new();
        for _ in 0..4 {
            let (pause, told) = pauses.after_error(now);
            all.push((pause.as_secs(), told));
            now += pause;
        }
        assert_eq!(all, [(1, false), (2, true), (3, false), (3, false)]);
        pauses.worked();
        let (pause, _) = pauses.after_error(now + Duration::from_millis(500));
        assert_eq!(pause, Duration::from_secs(3), "it worked for too short");
        pauses.worked();
        let later = now + Duration::from_secs(90);
        assert_eq!(pauses.after_error(later), (Duration::from_secs(1), false));
    }
}
