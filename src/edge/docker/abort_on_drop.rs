//! Tasks that end with whoever began them.

use tokio::task::JoinHandle;

/// Ends a task together with its owner.
pub(in crate::edge) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
