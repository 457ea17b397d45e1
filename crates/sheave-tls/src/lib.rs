//! sheave-tls
