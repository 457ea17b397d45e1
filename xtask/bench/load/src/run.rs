//! What the workload wants of each socket when something happens to it. Both protocols ask here.

use std::io;
use std::rc::Rc;

use crate::bad;
use crate::measure::Measure;
use crate::options::{Options, Workload};
use crate::ring::Ring;
use crate::socket::Socket;

/// Of the socket that the others are measured beside.
const BULK_LENGTH: usize = 64 << 10;
const BULK_IN_FLIGHT: usize = 16;

pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) measure: Measure,
    ring: Rc<Ring>,
    bulk: Option<Rc<Ring>>,
    /// Sockets that are open, or were.
    pub(crate) opened: usize,
    /// Sockets that have echoed their only message.
    pub(crate) idle: usize,
}

impl Run {
    pub(crate) fn new(options: Options) -> Self {
        let in_flight = match options.workload {
            Workload::Echo => options.in_flight,
            _ => 1,
        };
        // Requests send no messages.
        let length = if options.workload == Workload::Get { 0 } else { options.length };
        let ring = Rc::new(Ring::new(&options, length, in_flight));
        let bulk = (options.workload == Workload::Fairness)
            .then(|| Rc::new(Ring::new(&options, BULK_LENGTH, BULK_IN_FLIGHT)));
        let measure = Measure::new(options.pid, options.until);
        Self { options, measure, ring, bulk, opened: 0, idle: 0 }
    }

    /// Whether it begins with the first socket, not when all are open.
    pub(crate) fn starts_at_once(&self) -> bool {
        matches!(self.options.workload, Workload::Open | Workload::Get)
    }

    /// A socket. The first one of all, or of a connection, may be the large one.
    pub(crate) fn socket(&self, first: bool) -> Socket {
        Socket::new(self.bulk.as_ref().filter(|_| first).unwrap_or(&self.ring))
    }

    pub(crate) fn opened(&mut self, socket: &mut Socket) {
        self.opened += 1;
        if matches!(self.options.workload, Workload::Open | Workload::Idle) {
            socket.send(1, self.measure.now);
        }
    }

    /// All sockets are open.
    pub(crate) fn start(&self, socket: &mut Socket) {
        match self.options.workload {
            Workload::Echo => socket.send(self.options.in_flight, self.measure.now),
            Workload::Fairness if self.is_bulk(socket) => socket.send(BULK_IN_FLIGHT, self.measure.now),
            Workload::Fairness => socket.send(1, self.measure.now),
            Workload::Open | Workload::Idle | Workload::Get => {}
        }
    }

    /// So many messages came back.
    pub(crate) fn echoed(&mut self, socket: &mut Socket, messages: u64) -> io::Result<()> {
        match self.options.workload {
            Workload::Echo | Workload::Fairness => {
                let is_bulk = self.is_bulk(socket);
                socket.take_sent(messages, |sent, messages| {
                    if is_bulk {
                        self.measure.count_bulk(messages);
                    } else {
                        self.measure.count(messages, sent);
                    }
                })?;
                socket.send(messages as usize, self.measure.now);
            }
            Workload::Open => {
                socket.take_sent(messages, |_, _| {})?;
                socket.close();
            }
            Workload::Idle => {
                socket.take_sent(messages, |_, _| {})?;
                self.idle += 1;
            }
            Workload::Get => return Err(bad("a message where no socket is")),
        }
        Ok(())
    }

    /// A socket is over that began at that time, or a request was answered.
    pub(crate) fn ended(&mut self, began: u64) {
        self.measure.count(1, began);
    }

    fn is_bulk(&self, socket: &Socket) -> bool {
        self.bulk.as_ref().is_some_and(|bulk| socket.is_on(bulk))
    }
}
