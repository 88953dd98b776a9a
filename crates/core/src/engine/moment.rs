//! The order of what happens, which is no question of time.

/// A moment at which an update or a load began. Later ones are greater; 0 is before all of them.
pub type Moment = u64;

/// A moment in the order of what happens: events that are handled, updates and loads that begin.
///
/// They are ordered by it and not by a clock, so that two of them never fall on the same moment by chance. What the
/// event at hand brought is before the updates that it starts.
pub(crate) type Seq = Moment;
