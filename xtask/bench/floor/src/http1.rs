//! RFC 6455 §4.2, of which it takes the key alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::echo::Echo;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY: &[u8] = b"sec-websocket-key:";

#[derive(Default)]
pub(crate) struct Connection {
    request: Vec<u8>,
    open: bool,
    echo: Echo,
}

impl Connection {
    /// Whether the connection is over when the output is written.
    pub(crate) fn receive(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> bool {
        if !self.open {
            let before = self.request.len();
            self.request.extend_from_slice(input);
            let Some(end) = self.request.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
            input = &input[end + 4 - before..];
            self.open = true;
            output.extend_from_slice(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ",
            );
            output.extend_from_slice(accept(&self.request).as_bytes());
            output.extend_from_slice(b"\r\n\r\n");
            self.request = Vec::new();
        }
        self.echo.receive(input, output)
    }
}

fn accept(request: &[u8]) -> String {
    let mut lines = request.split(|byte| *byte == b'\n');
    let key = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(KEY.len())?;
        name.eq_ignore_ascii_case(KEY).then(|| value.trim_ascii())
    });
    STANDARD.encode(Sha1::new().chain_update(key.unwrap_or_default()).chain_update(GUID).finalize())
}
