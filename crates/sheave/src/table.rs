//! Values at numbered places.

use std::mem;

/// Places that are used again once they are free.
#[derive(Debug)]
pub(crate) struct Table<T> {
    /// Those that are taken may have nothing there.
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Table<T> {
    /// How many places keep their memory when none is taken.
    const KEPT: usize = 64;

    /// Takes a place, where there is nothing at first.
    pub(crate) fn take_place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            (self.places.len() - 1) as u32
        })
    }

    /// Puts something there.
    pub(crate) fn put(&mut self, place: u32, value: T) {
        self.places[place as usize] = Some(value);
    }

    /// Gives the place back, and what is there.
    pub(crate) fn leave(&mut self, place: u32) -> Option<T> {
        let value = self.places[place as usize].take();
        self.free.push(place);
        if self.is_empty() && self.places.len() > Self::KEPT {
            *self = Self::default();
        }
        value
    }

    /// How many places are taken.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is there; the places stay taken.
    pub(crate) fn empty(&mut self) -> Vec<T> {
        self.places.iter_mut().filter_map(mem::take).collect()
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn places_are_used_again() {
        let mut table = Table::default();
        let places: Vec<u32> = (0..3).map(|_| table.take_place()).collect();
        assert_eq!((places, table.len()), (vec![0, 1, 2], 3));
        table.put(1, 'a');
        table.put(2, 'b');
        assert_eq!((table.leave(1), table.leave(0)), (Some('a'), None));
        assert_eq!((table.take_place(), table.take_place(), table.take_place()), (0, 1, 3));
        assert_eq!((table.empty(), table.len()), (vec!['b'], 4));
        assert_eq!(table.leave(2), None);
    }
}
