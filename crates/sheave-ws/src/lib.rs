//! sheave-ws
