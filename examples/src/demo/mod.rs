//! What the demo and the check with a browser have in common: the page with its server, and the check of it.

mod selfcheck;
mod site;
mod traffic;

pub use selfcheck::{Way, check};
pub use site::{SUBPROTOCOL, Site, respond, version};
