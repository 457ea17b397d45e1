//! The place of sheave's HTTP/2 (RFC 9113) with extended CONNECT (RFC 8441).
//!
//! Nothing is implemented here yet.
