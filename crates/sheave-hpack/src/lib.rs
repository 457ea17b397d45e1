//! The place of sheave's HPACK (RFC 7541), header compression for HTTP/2.
//!
//! Nothing is implemented here yet.
#![no_std]
