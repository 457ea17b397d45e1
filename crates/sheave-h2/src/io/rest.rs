use std::collections::VecDeque;
use std::task::Waker;

use http::{HeaderMap, Request, Response};

use super::client::ResponseFuture;

/// What of a stream's state few streams have, or not for long.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub(super) informational: VecDeque<Response<()>>,
    pub(super) response: Option<Response<()>>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) promises: VecDeque<(Request<()>, ResponseFuture)>,
    /// Who waits for promises.
    pub(super) promised: Option<Waker>,
    /// Who waits for it to be opened.
    pub(super) opened: Option<Waker>,
}

impl Rest {
    pub(super) fn is_empty(&self) -> bool {
        self.informational.is_empty()
            && self.response.is_none()
            && self.trailers.is_none()
            && self.promises.is_empty()
            && self.promised.is_none()
            && self.opened.is_none()
    }
}
