//! What sheave's parts cost: the cases that `cargo bench` times with criterion, and whose instructions the program
//! `counts` has counted under valgrind.
//!
//! Everything in them is made of the same numbers each time, so that the counts repeat.

mod frames;
mod hpack;
mod text;
mod websocket;
mod whole;

/// Something to be measured, over and over.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// What its cost is told by: a message, a field, …
    pub unit: &'static str,
    /// How many passes to count: enough that what is not the same in each does not matter.
    pub passes: u64,
    units: Units,
    start: Start,
}

/// How many units are in one pass.
enum Units {
    Known(usize),
    /// It takes a look at the corpora, which is long under valgrind.
    Counted(Box<dyn Fn() -> usize>),
}

/// Prepares a case.
type Start = Box<dyn Fn() -> Work>;

/// Does so many passes.
type Work = Box<dyn FnMut(u64)>;

impl Case {
    fn new(
        name: &'static str,
        unit: &'static str,
        units: usize,
        passes: u64,
        start: impl Fn() -> Work + 'static,
    ) -> Self {
        Self { name, unit, passes, units: Units::Known(units), start: Box::new(start) }
    }

    /// How many units are in one pass.
    pub fn units(&self) -> u64 {
        let units = match &self.units {
            Units::Known(units) => *units,
            Units::Counted(count) => count(),
        };
        units as u64
    }

    /// Prepares it. What comes does so many passes each time that it is called.
    pub fn start(&self) -> impl FnMut(u64) {
        (self.start)()
    }
}

/// All cases. Those on the corpora are only there with the corpora.
pub fn cases() -> Vec<Case> {
    [websocket::cases(), hpack::cases(), frames::cases(), whole::cases()].into_iter().flatten().collect()
}
