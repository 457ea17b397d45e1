//! t
use crate::{Outcome,Tally};
pub(crate) fn task() -> Outcome { Ok(Tally::default()) }
