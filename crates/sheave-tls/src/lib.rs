#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod alpn;
mod client;
mod current;
#[cfg(feature = "dev-certificates")]
mod dev;
mod error;
mod generation;
mod identity;
mod name;
mod pem;
mod provider;
mod reload;
mod roots;
mod server;
mod stream;
mod verifier;

pub use client::{ClientConfig, ClientConfigBuilder};
#[cfg(feature = "dev-certificates")]
pub use dev::DevCertificate;
pub use error::Error;
pub use provider::default_provider;
pub use reload::CertificateReloader;
pub use server::{ServerConfig, ServerConfigBuilder};
pub use stream::{
    ClientStream, ServerStream, Session, TlsSession, TlsStream, alpn_protocol, peer_certificates,
    protocol_version, server_name,
};

pub use rustls;
pub use rustls_pki_types;
