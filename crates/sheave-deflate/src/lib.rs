//! The place of sheave's permessage-deflate (RFC 7692).
//!
//! Nothing is implemented here yet.
