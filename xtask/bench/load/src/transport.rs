//! TCP, or TLS over it: what the protocols above see are bytes.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::bad;

const READ: usize = 256 << 10;
/// So much of what is sent is encrypted at a time.
const ENCRYPT: usize = 64 << 10;
/// A record may have been kept from the read before.
const RECORD: usize = 32 << 10;

/// What all connections read into, one after the other.
pub(crate) struct Buffers {
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Buffers {
    pub(crate) fn new(tls: bool) -> Self {
        Self { wire: vec![0; READ], plain: if tls { vec![0; READ + RECORD] } else { vec![] } }
    }
}

pub(crate) enum Read<'a> {
    Some {
        bytes: &'a [u8],
        /// How many bytes these were on the wire.
        wire: usize,
        /// Whether there may be more.
        full: bool,
    },
    /// Nothing for now.
    Blocked,
    End,
}

pub(crate) struct Transport {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    pub(crate) fn connect(
        address: SocketAddr,
        tls: Option<&Arc<rustls::ClientConfig>>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tls = tls.map(|config| ClientConnection::new(Arc::clone(config), name));
        let tls = tls.transpose().map_err(io::Error::other)?.map(Box::new);
        Ok(Self { stream, tls })
    }

    pub(crate) fn read<'a>(&mut self, buffers: &'a mut Buffers) -> io::Result<Read<'a>> {
        let wire = loop {
            match self.stream.read(&mut buffers.wire) {
                Ok(0) => return Ok(Read::End),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Read::Blocked),
                Err(error) => return Err(error),
            }
        };
        let full = wire == buffers.wire.len();
        let Some(tls) = &mut self.tls else {
            return Ok(Read::Some { bytes: &buffers.wire[..wire], wire, full });
        };
        let (mut input, mut count) = (&buffers.wire[..wire], 0);
        while !input.is_empty() {
            tls.read_tls(&mut input)?;
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let end = count + state.plaintext_bytes_to_read();
            let plain =
                buffers.plain.get_mut(count..end).ok_or_else(|| bad("more plaintext than ciphertext"))?;
            tls.reader().read_exact(plain)?;
            count = end;
        }
        self.send_tls()?;
        Ok(Read::Some { bytes: &buffers.plain[..count], wire, full })
    }

    /// Writes what it can, and gives how much that is. The rest waits until the transport is writable.
    pub(crate) fn write(&mut self, mut output: &[u8]) -> io::Result<usize> {
        let all = output.len();
        if self.tls.is_none() {
            return Ok(self.send(output)?.unwrap_or(0));
        }
        while !output.is_empty() && self.send_tls()? {
            let Some(tls) = self.tls.as_mut().filter(|tls| !tls.is_handshaking()) else { break };
            let count = tls.writer().write(&output[..output.len().min(ENCRYPT)])?;
            output = &output[count..];
        }
        self.send_tls()?;
        Ok(all - output.len())
    }

    /// The FIN.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.send_tls()?;
        }
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// Whether bytes of the protocol above can be sent.
    pub(crate) fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// What ALPN agreed on.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref()?.alpn_protocol()
    }

    /// Whether nothing of TLS is left to send.
    pub(crate) fn send_tls(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn send(&mut self, output: &[u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.write(output) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
