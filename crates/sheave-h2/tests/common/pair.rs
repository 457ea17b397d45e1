//! A client and a server, and the bytes between them, in virtual time.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use sheave_h2::{Config, Connection, Event, Role};

pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) now: Instant,
    to_client: BytesMut,
    to_server: BytesMut,
    /// How many bytes have passed: to the client, to the server.
    pub(crate) passed: [usize; 2],
}

impl Pair {
    pub(crate) fn new(client: Config, server: Config) -> Self {
        let now = Instant::now();
        Self {
            client: Connection::new(Role::Client, client, now),
            server: Connection::new(Role::Server, server, now),
            now,
            to_client: BytesMut::new(),
            to_server: BytesMut::new(),
            passed: [0; 2],
        }
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn side(&mut self, role: Role) -> &mut Connection {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Passes at most so many bytes of what one side has to send to the other. Gives what that tells of.
    pub(crate) fn pass(&mut self, from: Role, most: usize) -> Vec<Event> {
        let (sender, receiver, input, passed) = match from {
            Role::Client => (&mut self.client, &mut self.server, &mut self.to_server, &mut self.passed[1]),
            Role::Server => (&mut self.server, &mut self.client, &mut self.to_client, &mut self.passed[0]),
        };
        let output = sender.transmit(self.now);
        let length = output.remaining().min(most);
        input.extend_from_slice(&output.copy_to_bytes(length));
        *passed += length;
        let mut events = Vec::new();
        while let Some(event) = receiver.recv(input, self.now).expect("both keep to the protocol") {
            events.push(event);
        }
        events
    }

    /// Whether either side has something to send.
    pub(crate) fn is_quiet(&mut self) -> bool {
        !self.client.transmit(self.now).has_remaining() && !self.server.transmit(self.now).has_remaining()
    }
}
