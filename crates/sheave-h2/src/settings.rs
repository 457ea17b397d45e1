//! The settings of one side (RFC 9113 §6.5.2).

use crate::error::Violation;
use crate::error_code::ErrorCode;
use crate::frame::Setting;

/// What one side lets the other do. By default, the values before anything was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How large the dynamic table of the other's encoder may be, in bytes. Default: 4 096.
    pub header_table_size: u32,
    /// Whether the server may push. Default: true.
    pub enable_push: bool,
    /// How many streams the other may have open. Default: any number.
    pub max_concurrent_streams: u32,
    /// How much the other may send on a new stream, in bytes. Default: 65 535.
    pub initial_window_size: u32,
    /// How long the payload of a frame may be, in bytes. Default: 16 384.
    pub max_frame_size: u32,
    /// How large a field section may be, in bytes, each field counted with 32 more. Default: any size.
    pub max_header_list_size: u32,
    /// Whether the server takes an extended CONNECT (RFC 8441 §3). Default: false.
    pub enable_connect_protocol: bool,
    /// Whether the priorities of RFC 7540 go unused (RFC 9218 §2.1). Default: false.
    pub no_rfc7540_priorities: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_table_size: 4096,
            enable_push: true,
            max_concurrent_streams: u32::MAX,
            initial_window_size: 65_535,
            max_frame_size: MIN_FRAME_SIZE,
            max_header_list_size: u32::MAX,
            enable_connect_protocol: false,
            no_rfc7540_priorities: false,
        }
    }
}

pub(crate) const MIN_FRAME_SIZE: u32 = 16_384;
pub(crate) const MAX_FRAME_SIZE: u32 = (1 << 24) - 1;
pub(crate) const MAX_WINDOW_SIZE: u32 = u32::MAX >> 1;

impl Settings {
    /// Takes a setting of the peer in. Unknown ones are ignored (RFC 9113 §6.5.2).
    pub(crate) fn apply(&mut self, Setting { id, value }: Setting) -> Result<(), Violation> {
        let flag = |why| match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why)),
        };
        match id {
            Setting::HEADER_TABLE_SIZE => self.header_table_size = value,
            // RFC 9113 §6.5.2
            Setting::ENABLE_PUSH => self.enable_push = flag("ENABLE_PUSH is neither 0 nor 1")?,
            Setting::MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = value,
            // RFC 9113 §6.5.2
            Setting::INITIAL_WINDOW_SIZE if value > MAX_WINDOW_SIZE => {
                let why = "INITIAL_WINDOW_SIZE above 2^31 - 1";
                return Err(Violation::connection(ErrorCode::FLOW_CONTROL_ERROR, why));
            }
            Setting::INITIAL_WINDOW_SIZE => self.initial_window_size = value,
            // RFC 9113 §6.5.2
            Setting::MAX_FRAME_SIZE if !(MIN_FRAME_SIZE..=MAX_FRAME_SIZE).contains(&value) => {
                let why = "MAX_FRAME_SIZE below 2^14 or above 2^24 - 1";
                return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why));
            }
            Setting::MAX_FRAME_SIZE => self.max_frame_size = value,
            Setting::MAX_HEADER_LIST_SIZE => self.max_header_list_size = value,
            Setting::ENABLE_CONNECT_PROTOCOL => {
                let enable = flag("ENABLE_CONNECT_PROTOCOL is neither 0 nor 1")?;
                // RFC 8441 §3: what was said once is not taken back.
                if self.enable_connect_protocol && !enable {
                    let why = "ENABLE_CONNECT_PROTOCOL taken back";
                    return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, why));
                }
                self.enable_connect_protocol = enable;
            }
            // RFC 9218 §2.1
            Setting::NO_RFC7540_PRIORITIES => {
                self.no_rfc7540_priorities = flag("NO_RFC7540_PRIORITIES is neither 0 nor 1")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What has to be said for the peer, who knows `known`, to know these.
    pub(crate) fn changes(&self, known: &Self) -> impl Iterator<Item = Setting> + use<> {
        let pairs = |settings: &Self| {
            [
                (Setting::HEADER_TABLE_SIZE, settings.header_table_size),
                (Setting::ENABLE_PUSH, settings.enable_push.into()),
                (Setting::MAX_CONCURRENT_STREAMS, settings.max_concurrent_streams),
                (Setting::INITIAL_WINDOW_SIZE, settings.initial_window_size),
                (Setting::MAX_FRAME_SIZE, settings.max_frame_size),
                (Setting::MAX_HEADER_LIST_SIZE, settings.max_header_list_size),
                (Setting::ENABLE_CONNECT_PROTOCOL, settings.enable_connect_protocol.into()),
                (Setting::NO_RFC7540_PRIORITIES, settings.no_rfc7540_priorities.into()),
            ]
        };
        let changes = pairs(self).into_iter().zip(pairs(known)).filter(|(new, known)| new != known);
        changes.map(|((id, value), _)| Setting { id, value })
    }
}
