//! How long to wait before a watch is tried again.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause. Whoever switches a cluster on again sees its state within five seconds.
const LONGEST: Duration = Duration::from_secs(3);
/// How long a watch must have worked to be healthy again.
const HEALTHY: Duration = Duration::from_secs(1);

/// The pauses of one watch: silent at first, then three times as long, and told once.
#[derive(Default)]
pub(in crate::edge::kube) struct Pauses {
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
            Some(last) if !was_healthy => ((last * 3).min(LONGEST), last < LONGEST),
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
    fn the_first_pause_is_silent_the_next_is_told_and_then_it_is_said() {
        let mut now = crate::clock::now();
        let mut pauses = Pauses::default();
        let mut all = Vec::new();
        for _ in 0..4 {
            let (pause, told) = pauses.after_error(now);
            all.push((pause.as_secs(), told));
            now += pause;
        }
        assert_eq!(all, [(1, false), (3, true), (3, false), (3, false)]);
        pauses.worked();
        let (pause, _) = pauses.after_error(now + Duration::from_millis(500));
        assert_eq!(pause, LONGEST, "it worked for too short");
        pauses.worked();
        assert_eq!(pauses.after_error(now + Duration::from_secs(90)), (FIRST, false));
    }
}
