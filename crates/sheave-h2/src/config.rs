//! What a connection does and bears.

use std::time::Duration;

use crate::bucket::Rate;
use crate::settings::{MAX_FRAME_SIZE, MAX_WINDOW_SIZE, MIN_FRAME_SIZE, Settings};

/// The settings of a connection, and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) max_concurrent_streams: u32,
    pub(crate) initial_window_size: u32,
    pub(crate) max_window_size: u32,
    pub(crate) connection_window_size: u32,
    pub(crate) max_frame_size: u32,
    pub(crate) max_header_list_size: u32,
    pub(crate) header_table_size: u32,
    pub(crate) max_encoder_table_size: u32,
    pub(crate) max_continuations: u32,
    pub(crate) max_informational: u8,
    #[cfg(feature = "tokio")]
    pub(crate) max_send_queue: usize,
    pub(crate) enable_connect_protocol: bool,
    pub(crate) enable_push: bool,
    resets: Option<Rate>,
    pub(crate) glitches: Rate,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) settings_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) keepalive_timeout: Duration,
    pub(crate) tunnel_linger: Duration,
    #[cfg(feature = "tokio")]
    pub(crate) write_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            initial_window_size: 65_535,
            max_window_size: 4 << 20,
            connection_window_size: 16 << 20,
            max_frame_size: MIN_FRAME_SIZE,
            max_header_list_size: 64 << 10,
            header_table_size: 4096,
            max_encoder_table_size: 4096,
            max_continuations: 8,
            max_informational: 8,
            #[cfg(feature = "tokio")]
            max_send_queue: 64 << 10,
            enable_connect_protocol: false,
            enable_push: false,
            resets: None,
            glitches: Rate { burst: 10_000, per_second: 330 },
            handshake_timeout: Some(Duration::from_secs(10)),
            settings_timeout: Some(Duration::from_secs(10)),
            keepalive: None,
            keepalive_timeout: Duration::from_secs(20),
            tunnel_linger: Duration::from_secs(1),
            #[cfg(feature = "tokio")]
            write_timeout: Some(Duration::from_secs(30)),
        }
    }
}

impl Config {
    /// How many streams the peer may have open at once (RFC 9113 §5.1.2). Those above are refused. Default: 100, good
    /// for requests; for tunnels, thousands.
    pub fn max_concurrent_streams(self, most: u32) -> Self {
        Self { max_concurrent_streams: most, ..self }
    }

    /// What was set by [`max_concurrent_streams`](Self::max_concurrent_streams).
    pub fn get_max_concurrent_streams(&self) -> u32 {
        self.max_concurrent_streams
    }

    /// How much the peer may send on a stream at first before it is read, in bytes, up to 2^31 - 1 (RFC 9113 §6.9.2).
    /// Default: 65 535.
    pub fn initial_window_size(self, size: u32) -> Self {
        Self { initial_window_size: size.min(MAX_WINDOW_SIZE), ..self }
    }

    /// How far a stream's window grows, in bytes, up to 2^31 - 1, when its reader keeps up and the round trip takes
    /// too long for it. With the initial size or less it does not grow. Default: 4 MiB.
    pub fn max_window_size(self, size: u32) -> Self {
        Self { max_window_size: size.min(MAX_WINDOW_SIZE), ..self }
    }

    /// How much the peer may have on its way on all streams, in bytes, from 65 535 to 2^31 - 1. What has arrived does
    /// not count, until that much of it is unread: then the peer has to wait, so that at most twice as much is ever
    /// held for one connection. The windows of all streams together grow by no more than half of it; if the other half
    /// holds the initial windows of all streams, as by default, those that nobody reads never stop others.
    /// Default: 16 MiB.
    pub fn connection_window_size(self, size: u32) -> Self {
        Self { connection_window_size: size.clamp(65_535, MAX_WINDOW_SIZE), ..self }
    }

    /// How long the payload of a frame from the peer may be, in bytes: 16 384 to 2^24 - 1 (RFC 9113 §4.2). A frame is
    /// held until it is whole. Default: 16 384.
    pub fn max_frame_size(self, size: u32) -> Self {
        Self { max_frame_size: size.clamp(MIN_FRAME_SIZE, MAX_FRAME_SIZE), ..self }
    }

    /// How large a field section from the peer may be, in bytes, each field counted with 32 more (RFC 9113 §6.5.2). A
    /// larger request is answered with 431. Default: 64 KiB.
    pub fn max_header_list_size(self, size: u32) -> Self {
        Self { max_header_list_size: size, ..self }
    }

    /// How large the table is that the peer compresses fields with, in bytes (RFC 7541 §4.2). Default: 4 096.
    pub fn header_table_size(self, size: u32) -> Self {
        Self { header_table_size: size, ..self }
    }

    /// How large the table is that fields for the peer are compressed with, in bytes, where the peer allows it
    /// (RFC 7541 §4.2). Default: 4 096.
    pub fn max_encoder_table_size(self, size: u32) -> Self {
        Self { max_encoder_table_size: size, ..self }
    }

    /// How many CONTINUATION frames may follow upon one HEADERS. More end the connection. Default: 8.
    pub fn max_continuations(self, most: u32) -> Self {
        Self { max_continuations: most, ..self }
    }

    /// How many interim responses (1xx) a server may send to one request. More end the stream. Default: 8.
    pub fn max_informational(self, most: u8) -> Self {
        Self { max_informational: most, ..self }
    }

    /// How much may wait to be sent on a stream before its writers have to wait, in bytes. Default: 64 KiB.
    #[cfg(feature = "tokio")]
    pub fn max_send_queue(self, most: usize) -> Self {
        Self { max_send_queue: most, ..self }
    }

    /// A server: tells clients that it takes an extended CONNECT (RFC 8441 §3). Without it such a request ends its
    /// stream. Default: false.
    pub fn enable_connect_protocol(self, enable: bool) -> Self {
        Self { enable_connect_protocol: enable, ..self }
    }

    /// A client: lets the server push (RFC 9113 §8.4). Default: false.
    pub fn enable_push(self, enable: bool) -> Self {
        Self { enable_push: enable, ..self }
    }

    /// How often streams may end by RST_STREAM: the peer's of what is not answered yet (a tunnel is once it is open), and ours that it brought about. More
    /// end the connection with ENHANCE_YOUR_CALM. Default: 1 000 at once, or as many as there may be streams if that is
    /// more, and 33 a second.
    pub fn resets(self, rate: Rate) -> Self {
        Self { resets: Some(rate), ..self }
    }

    pub(crate) fn reset_rate(&self) -> Rate {
        // Who has many streams may have to give up all of them at once.
        let burst = self.max_concurrent_streams.clamp(1000, 1 << 16);
        self.resets.unwrap_or(Rate { burst, per_second: 33 })
    }

    /// How often frames may come that are allowed and do nothing: empty DATA, PRIORITY, frames of closed streams, new
    /// SETTINGS. More end the connection with ENHANCE_YOUR_CALM. Default: 10 000 at once, 330 a second.
    pub fn glitches(self, rate: Rate) -> Self {
        Self { glitches: rate, ..self }
    }

    /// How long the peer may take to begin with HTTP/2 and its SETTINGS. Default: 10 s.
    pub fn handshake_timeout(self, timeout: Option<Duration>) -> Self {
        Self { handshake_timeout: timeout, ..self }
    }

    /// How long the peer may take to acknowledge SETTINGS (RFC 9113 §6.5.3). Default: 10 s.
    pub fn settings_timeout(self, timeout: Option<Duration>) -> Self {
        Self { settings_timeout: timeout, ..self }
    }

    /// After how long without anything from the peer it is sent a PING (RFC 9113 §6.7). Default: never.
    pub fn keepalive(self, after: Option<Duration>) -> Self {
        Self { keepalive: after, ..self }
    }

    /// How long the peer may take to send anything after that. Default: 20 s.
    pub fn keepalive_timeout(self, timeout: Duration) -> Self {
        Self { keepalive_timeout: timeout, ..self }
    }

    /// How long a tunnel (a CONNECT, RFC 9113 §8.5, RFC 8441) that has ended here and is not read any more waits for the
    /// peer to end it as well, before it is reset. Where the peer is a proxy, a reset at once may overtake what was
    /// sent last. Default: 1 s.
    pub fn tunnel_linger(self, time: Duration) -> Self {
        Self { tunnel_linger: time, ..self }
    }

    /// How long a write to the transport may make no progress. Default: 30 s.
    #[cfg(feature = "tokio")]
    pub fn write_timeout(self, timeout: Option<Duration>) -> Self {
        Self { write_timeout: timeout, ..self }
    }

    /// What the peer is told.
    pub(crate) fn settings(&self, is_server: bool) -> Settings {
        Settings {
            header_table_size: self.header_table_size,
            // Only a client says so (RFC 9113 §6.5.2).
            enable_push: is_server || self.enable_push,
            max_concurrent_streams: self.max_concurrent_streams,
            initial_window_size: self.initial_window_size,
            max_frame_size: self.max_frame_size,
            max_header_list_size: self.max_header_list_size,
            enable_connect_protocol: is_server && self.enable_connect_protocol,
            no_rfc7540_priorities: true,
        }
    }
}
