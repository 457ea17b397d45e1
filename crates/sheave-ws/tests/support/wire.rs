//! Frames as bytes (RFC 6455 §5.2), made and read without the code under test.

use sheave_ws::Role;

/// A frame to be made, right or wrong.
#[derive(Clone, Debug)]
pub struct Frame {
    first: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
    form: Option<u8>,
    claimed: Option<u64>,
}

/// A final, unmasked, empty binary frame to start from.
pub fn frame() -> Frame {
    Frame { first: 0x82, mask: None, payload: Vec::new(), form: None, claimed: None }
}

/// The bytes of several frames as the peer of `role` sends them.
pub fn wire(role: Role, frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.clone().to(role).bytes()).collect()
}

impl Frame {
    pub fn opcode(mut self, opcode: u8) -> Self {
        self.first = self.first & 0xF0 | opcode;
        self
    }

    pub fn payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.payload = payload.as_ref().to_vec();
        self
    }

    pub fn text(self, payload: impl AsRef<[u8]>) -> Self {
        self.opcode(1).payload(payload)
    }

    pub fn binary(self, payload: impl AsRef<[u8]>) -> Self {
        self.opcode(2).payload(payload)
    }

    pub fn continuation(self, payload: impl AsRef<[u8]>) -> Self {
        self.opcode(0).payload(payload)
    }

    pub fn ping(self, payload: impl AsRef<[u8]>) -> Self {
        self.opcode(9).payload(payload)
    }

    pub fn pong(self, payload: impl AsRef<[u8]>) -> Self {
        self.opcode(10).payload(payload)
    }

    pub fn close(self, code: u16, reason: impl AsRef<[u8]>) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_ref()].concat();
        self.opcode(8).payload(payload)
    }

    pub fn empty_close(self) -> Self {
        self.opcode(8)
    }

    /// Others follow: without FIN.
    pub fn unfinished(mut self) -> Self {
        self.first &= 0x7F;
        self
    }

    pub fn reserved(mut self, bits: u8) -> Self {
        self.first |= bits;
        self
    }

    pub fn masked(mut self) -> Self {
        self.mask = Some([0x37, 0xfa, 0x21, 0x3d]);
        self
    }

    /// Masked if `role` receives it and demands that.
    pub fn to(self, role: Role) -> Self {
        if role == Role::Server { self.masked() } else { self }
    }

    /// The length in this form (126 or 127), whether it is the shortest or not.
    pub fn length_form(mut self, form: u8) -> Self {
        self.form = Some(form);
        self
    }

    /// Claims this length whatever the payload is.
    pub fn claims(mut self, length: u64) -> Self {
        self.claimed = Some(length);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = self.claimed.unwrap_or(self.payload.len() as u64);
        let shortest = match length {
            0..=125 => length as u8,
            126..=0xFFFF => 126,
            _ => 127,
        };
        let form = self.form.unwrap_or(shortest);
        let mut bytes = vec![self.first, form | if self.mask.is_some() { 0x80 } else { 0 }];
        match form {
            126 => bytes.extend_from_slice(&(length as u16).to_be_bytes()),
            127 => bytes.extend_from_slice(&length.to_be_bytes()),
            _ => {}
        }
        let key = self.mask.unwrap_or_default();
        bytes.extend(self.mask.into_iter().flatten());
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// A frame that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Got {
    pub fin: bool,
    pub reserved: u8,
    pub opcode: u8,
    pub masked: bool,
    pub payload: Vec<u8>,
}

impl Got {
    /// The code of a Close; 0 if it has none.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
        (self.opcode == 8).then_some(code)
    }
}

impl std::fmt::Debug for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.payload[..self.payload.len().min(24)];
        write!(f, "{:#x}[{}]{:?}", self.opcode, self.payload.len(), String::from_utf8_lossy(start))
    }
}

/// All frames of `bytes`, which are to be whole.
pub fn parse(bytes: &[u8]) -> Vec<Got> {
    let (frames, rest) = parse_some(bytes);
    assert_eq!(rest, 0, "the last {rest} bytes are half a frame; before: {frames:?}");
    frames
}

/// All whole frames of `bytes`, and how many bytes of a further one follow.
pub fn parse_some(mut bytes: &[u8]) -> (Vec<Got>, usize) {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = parse_one(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    (frames, bytes.len())
}

fn parse_one(bytes: &[u8]) -> Option<(Got, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let opcode = first & 0x0F;
    assert!(matches!(opcode, 0..=2 | 8..=10), "opcode {opcode:#x} is no frame's");
    let (length, rest) = match second & 0x7F {
        126 => rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length) as usize, rest))?,
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length) as usize, rest))?,
        short => (usize::from(short), rest),
    };
    let masked = second & 0x80 != 0;
    let (key, rest) = if masked { rest.split_first_chunk()? } else { (&[0; 4], rest) };
    let (payload, rest) = rest.split_at_checked(length)?;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some((Got { fin: first & 0x80 != 0, reserved: first & 0x70, opcode, masked, payload }, rest))
}
