//! The Close frame: codes and reasons (RFC 6455 §5.5.1, §7.4).

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{ProtocolError, Usage};
use crate::message::Utf8Bytes;

/// Why a connection is closed (RFC 6455 §7.4 and the IANA registry that it made).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose was fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser has left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame says nothing. It stands for that here and is never on the wire (RFC 6455 §7.4.1).
    pub const NO_STATUS: Self = Self(1005);
    /// 1007: data that does not match its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message that is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: something unexpected in the server.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the server is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from behind.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code of this number, if it may stand in a Close frame: 1000–1003, 1007–1014 and 3000–4999
    /// (RFC 6455 §7.4.1, §7.4.2).
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl std::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    code: CloseCode,
    reason: Utf8Bytes,
}

impl CloseFrame {
    /// The longest reason, in bytes: what a control frame holds besides the code.
    pub const MAX_REASON: usize = 123;

    /// A Close with this code and reason.
    ///
    /// # Errors
    /// [`Usage::CloseReasonTooLong`] if the reason is over [`Self::MAX_REASON`] bytes,
    /// [`Usage::ReasonWithoutCode`] if there is one with [`CloseCode::NO_STATUS`].
    pub fn new(code: CloseCode, reason: impl Into<Utf8Bytes>) -> Result<Self, Usage> {
        let reason = reason.into();
        if code == CloseCode::NO_STATUS && !reason.as_bytes().is_empty() {
            return Err(Usage::ReasonWithoutCode);
        }
        if reason.as_bytes().len() > Self::MAX_REASON {
            return Err(Usage::CloseReasonTooLong);
        }
        Ok(Self { code, reason })
    }

    /// The code; [`CloseCode::NO_STATUS`] if the frame says nothing.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason; often empty.
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    /// Reads a Close frame's payload.
    pub(crate) fn decode(payload: &Bytes) -> Result<Self, ProtocolError> {
        if payload.is_empty() {
            return Ok(CloseCode::NO_STATUS.into());
        }
        // RFC 6455 §5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
        let Some((code, _)) = payload.split_first_chunk() else { return Err(ProtocolError::ClosePayload) };
        let code = u16::from_be_bytes(*code);
        let code = CloseCode::new(code).ok_or(ProtocolError::CloseCode(code))?;
        let reason = Utf8Bytes::try_from(payload.slice(2..)).map_err(|_| ProtocolError::CloseReason)?;
        Ok(Self { code, reason })
    }

    pub(crate) fn encode(&self) -> Bytes {
        if self.code == CloseCode::NO_STATUS {
            return Bytes::new();
        }
        let mut payload = BytesMut::with_capacity(2 + self.reason.as_bytes().len());
        payload.put_u16(self.code.get());
        payload.put_slice(self.reason.as_bytes());
        payload.freeze()
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self { code, reason: Utf8Bytes::default() }
    }
}
