//! How many images are built at a time.

use tokio::sync::watch;

/// How many images are being built, in all updates together.
#[derive(Clone, Debug)]
pub struct ImageSlots(watch::Sender<usize>);

/// An image that is being built, for as long as this value lives.
pub(super) struct Slot(ImageSlots);

impl Default for ImageSlots {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl ImageSlots {
    /// Returns what tells how many are taken.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }

    /// Returns how many are taken; a later change is news for this receiver.
    ///
    /// A function of its own, so that nobody takes a slot while the number is being looked at: that would wait for ever.
    pub(super) fn n_taken(news: &mut watch::Receiver<usize>) -> usize {
        *news.borrow_and_update()
    }

    pub(super) fn take(&self) -> Slot {
        self.0.send_modify(|taken| *taken += 1);
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.send_modify(|taken| *taken -= 1);
    }
}
