//! Wall-clock time, as Kubernetes writes it.

use k8s_openapi::jiff;

/// A point of wall-clock time, in microseconds since 1970-01-01 UTC. Durations within a session are measured with
/// `std::time::Instant` instead; this type is for times that came from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the time that many whole seconds after 1970.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Returns the start of this time's second: what an API server keeps of it.
    pub const fn floor_to_second(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// Reads what [`Timestamp::to_micro_text`] writes, and other texts of that form.
    pub fn from_text(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Self(time.as_microsecond()))
    }

    /// Returns how long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Timestamp) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// Reads a time as Kubernetes writes it, with or without parts of a second.
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_microsecond()))
    }

    /// Returns it with exactly six digits after the second, as in `2026-01-31T12:00:00.000000Z`.
    pub fn to_micro_text(self) -> String {
        format!("{:.6}", self.instant())
    }

    /// Returns it in whole seconds, as in `2026-01-31T12:00:00Z`.
    pub fn to_text(self) -> String {
        format!("{:.0}", self.floor_to_second().instant())
    }

    fn instant(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or_default()
    }
}
