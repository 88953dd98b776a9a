//! What is known while a file is evaluated, for values that are read without saying for whom: it is kept for the thread that
//! evaluates.

use std::cell::RefCell;
use std::sync::Arc;

use crate::host::Variables;
use crate::request::LoadRequest;

struct Facts {
    request: LoadRequest,
    variables: Arc<dyn Variables>,
}

thread_local! {
    static FACTS: RefCell<Vec<Facts>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what attributes are as long as a file is evaluated.
pub(crate) struct Kept(());

impl Kept {
    /// Begins the evaluation of a file on this thread.
    pub(crate) fn new(request: &LoadRequest, variables: Arc<dyn Variables>) -> Self {
        let request = request.clone();
        FACTS.with_borrow_mut(|facts| facts.push(Facts { request, variables }));
        Self(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        FACTS.with_borrow_mut(Vec::pop);
    }
}

/// Returns the environment variables as the file that is evaluated sees them.
pub(super) fn variables() -> Option<Arc<dyn Variables>> {
    FACTS.with_borrow(|facts| Some(Arc::clone(&facts.last()?.variables)))
}

/// Returns what is asked of the request for which this thread evaluates; `None` where it evaluates nothing.
pub(super) fn with_request<T>(ask: impl FnOnce(&LoadRequest) -> T) -> Option<T> {
    FACTS.with_borrow(|facts| Some(ask(&facts.last()?.request)))
}
