use std::time::Duration;

use tokio::sync::oneshot;

use super::shared::{Notice, Shared};
use crate::error::Error;

/// What can be asked of a connection while it is driven elsewhere. It does not keep a client's connection up.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Shared,
}

impl Handle {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared }
    }

    /// Ends the connection once the streams that there are have ended (RFC 9113 §6.8), as
    /// [`Connection::shutdown`](crate::Connection::shutdown) does.
    pub fn shutdown(&self) {
        self.shared.notice(Notice::Shutdown);
    }

    /// Measures a round trip with a PING (RFC 9113 §6.7).
    ///
    /// # Errors
    ///
    /// Why the connection has failed, if it has; [`Error::Closed`] if it ends before, or 16 others wait for an answer.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped, the answer is not waited for.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let (answer, answered) = oneshot::channel();
        self.shared.notice(Notice::Ping(answer));
        answered.await.map_err(|_| self.shared.error())
    }
}
