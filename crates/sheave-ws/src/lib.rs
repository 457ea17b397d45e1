//! sheave-ws

pub mod extension;
pub mod handshake;
