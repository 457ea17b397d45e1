//! How many connections one IP address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::listener::Peer;

/// Counts connections by address.
#[derive(Clone, Debug)]
pub(super) struct PerIp {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Option<(PerIp, IpAddr)>);

impl PerIp {
    pub(super) fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// Counts a connection, unless its address has as many as it may.
    pub(super) fn admit(&self, peer: Peer) -> Option<Counted> {
        let Some(address) = peer.0.map(|address| address.ip().to_canonical()) else {
            return Some(Counted(None));
        };
        if self.most == usize::MAX {
            return Some(Counted(None));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted(Some((self.clone(), address))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((per_ip, address)) = &self.0 else { return };
        let mut counts = per_ip.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}
