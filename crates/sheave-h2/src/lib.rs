#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bucket;
mod chunks;
mod config;
mod connection;
mod error;
mod error_code;
mod event;
mod few;
mod flow;
pub mod frame;
#[cfg(feature = "tokio")]
pub mod io;
mod message;
mod priority;
mod scheduler;
mod settings;
mod spare;
mod stream;
mod stream_id;
mod streams;

pub use self::bucket::Rate;
pub use self::chunks::Chunks;
pub use self::config::Config;
pub use self::connection::{Connection, PREFACE, Role};
pub use self::error::{Error, GoAwayReason, Timeout, Usage, Violation};
pub use self::error_code::ErrorCode;
pub use self::event::{Event, Progress};
pub use self::message::Protocol;
pub use self::priority::Priority;
pub use self::settings::Settings;
pub use self::spare::{buffer, recycle};
pub use self::stream_id::StreamId;
pub use self::streams::StreamKey;
