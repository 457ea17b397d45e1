//! Both halves together, without I/O.

use bytes::{Bytes, BytesMut};

use crate::close::CloseFrame;
use crate::config::{Config, Role};
use crate::error::Error;
use crate::handshake::Agreed;
use crate::incoming::{Event, Incoming};
use crate::message::Message;
use crate::outgoing::{Compress, MaskingKeys, Outgoing};
use crate::output::Output;

/// A WebSocket connection as a value: bytes in, events out, bytes out.
///
/// There are three kinds of method. [`recv`](Self::recv) takes what the transport received;
/// [`send`](Self::send), [`ping`](Self::ping) and [`close`](Self::close) queue; [`transmit`](Self::transmit)
/// gives what to write next, replies to Pings and Closes included. An error of `recv` is final, and the Close
/// that tells the peer still comes out of `transmit`.
///
/// ```
/// use bytes::{Buf, BytesMut};
/// use sheave_ws::{Config, Connection, Event, Message, Role};
///
/// let keys = || Ok([1, 2, 3, 4]); // a real client takes them from a CSPRNG
/// let mut client = Connection::new(Role::Client, &Config::default(), keys);
/// let mut server = Connection::new(Role::Server, &Config::default(), keys);
///
/// client.send("hello".into())?;
/// let output = client.transmit();
/// let mut wire = BytesMut::from(&output.copy_to_bytes(output.remaining())[..]);
/// assert_eq!(server.recv(&mut wire)?, Some(Event::Message("hello".into())));
/// # Ok::<(), sheave_ws::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

impl Connection {
    /// A connection whose opening handshake is done.
    pub fn new(role: Role, config: &Config, keys: MaskingKeys) -> Self {
        Self { incoming: Incoming::new(role, config), outgoing: Outgoing::new(role, config, keys) }
    }

    /// Uses what the opening handshake agreed on: permessage-deflate as configured, and no-masking.
    #[must_use]
    pub fn agreed(mut self, config: &Config, agreed: &Agreed) -> Self {
        agreed.apply(config, &mut self.incoming, &mut self.outgoing);
        self
    }

    /// Takes the next event from the start of `input`, or `None` if it needs more bytes.
    ///
    /// # Errors
    /// What the peer did wrong; final.
    pub fn recv(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        self.incoming.recv(input, &mut self.outgoing)
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`Error::Closed`] after a Close; [`Error::Usage`] inside a message sent in fragments; [`Error::Io`] if
    /// there are no masking keys.
    pub fn send(&mut self, message: Message) -> Result<(), Error> {
        self.outgoing.message(message, Compress::Auto)
    }

    /// Queues a fragment of a message; the first says whether it is text, `fin` that this is the last.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Error::Usage`] if it is not of the first one's kind.
    pub fn send_fragment(&mut self, fragment: Message, fin: bool) -> Result<(), Error> {
        self.outgoing.fragment(fragment, fin)
    }

    /// Queues a Ping.
    ///
    /// # Errors
    /// [`Error::Usage`] if the payload is over 125 bytes, [`Error::Closed`] after a Close,
    /// [`Error::Io`] if there are no masking keys.
    pub fn ping(&mut self, payload: Bytes) -> Result<(), Error> {
        self.outgoing.ping(payload)
    }

    /// Queues the Close; nothing can be sent after it, while `recv` goes on to the peer's Close.
    pub fn close(&mut self, close: &CloseFrame) {
        self.outgoing.close(close);
    }

    /// The bytes to write next; empty if nothing is owed.
    pub fn transmit(&mut self) -> &mut Output {
        self.outgoing.transmit()
    }

    /// Whether both Closes have been queued or received, or an error ended the connection: once
    /// `transmit` is empty, the transport is to be closed.
    pub fn is_finished(&self) -> bool {
        self.incoming.is_ended() && self.outgoing.is_closed()
    }
}
