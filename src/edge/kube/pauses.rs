//! How long to wait before a watch is tried again.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause. Whoever switches a cluster on again does not want to wait for longer.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a watch must have worked to be healthy again.
const HEALTHY: Duration = Duration::from_secs(1);

/// The pauses of one watch: silent at first, then three times as long each time, and told.
#[derive(Default)]
pub(super) struct Pauses {
    last: Option<Duration>,
    resumed: Option<Instant>,
    worked: bool,
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
        let was_healthy = self.worked && long_enough;
        let (pause, told) = match self.last {
            Some(last) if !was_healthy => ((last * 3).min(LONGEST), true),
            _ => (FIRST, false),
        };
        self.last = Some(pause);
        self.resumed = Some(now + pause);
        self.worked = false;
        (pause, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pause_is_silent_and_later_ones_grow_until_it_works_again() {
        let mut now = crate::edge::clock::now();
        let mut pauses = Pauses::default();
        let mut secs = Vec::new();
        for _ in 0..6 {
            let (pause, told) = pauses.after_error(now);
            assert_eq!(told, !secs.is_empty());
            secs.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(secs, [1, 3, 9, 27, 60, 60]);
        pauses.worked();
        let (_, told) = pauses.after_error(now + Duration::from_millis(500));
        assert!(told, "it worked for too short");
        pauses.worked();
        assert_eq!(pauses.after_error(now + Duration::from_secs(90)), (FIRST, false));
    }
}
