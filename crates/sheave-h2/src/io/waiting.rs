//! Requests that wait to be let open a stream.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cell::Cell;

/// They are opened in their order, but that extended CONNECT waits for the peer's SETTINGS, and nothing else does.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    cells: VecDeque<Arc<Cell>>,
    /// Those that wait for SETTINGS.
    unsettled: VecDeque<Arc<Cell>>,
    /// How many of both were taken back.
    gone: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.unsettled.is_empty()
    }

    pub(super) fn push(&mut self, cell: &Arc<Cell>) {
        if !cell.set_waiting(true) {
            self.cells.push_back(Arc::clone(cell));
        }
    }

    /// The request is taken back, if it waits.
    pub(super) fn remove(&mut self, cell: &Cell) {
        if !cell.set_waiting(false) {
            return;
        }
        self.gone += 1;
        if self.gone * 2 >= self.cells.len() + self.unsettled.len() {
            self.cells.retain(|cell| cell.is_waiting());
            self.unsettled.retain(|cell| cell.is_waiting());
            self.gone = 0;
        }
    }

    /// The next that may be opened, if the peer's SETTINGS have come or not.
    pub(super) fn pop(&mut self, has_settings: bool) -> Option<Arc<Cell>> {
        loop {
            let settled = if has_settings { self.unsettled.pop_front() } else { None };
            let cell = settled.or_else(|| self.cells.pop_front())?;
            if !cell.is_waiting() {
                self.gone -= 1;
            } else if !has_settings && cell.wants_extended_connect() {
                self.unsettled.push_back(cell);
            } else {
                cell.set_waiting(false);
                return Some(cell);
            }
        }
    }

    /// All, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Cell>> {
        self.gone = 0;
        self.cells.drain(..).chain(self.unsettled.drain(..)).filter(|cell| cell.set_waiting(false))
    }
}
