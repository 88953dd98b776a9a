//! The order of what happens, which is no question of time.

/// A moment at which an update or a load began. Later ones are greater; 0 is before all of them.
pub type Moment = u64;
