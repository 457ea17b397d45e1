//! A queue of what there is seldom more than one of.

use std::collections::VecDeque;

/// In their order. One alone takes no memory but its own.
#[derive(Debug)]
pub(crate) struct Few<T> {
    first: Option<T>,
    /// What comes behind it, if that is anything.
    #[expect(clippy::box_collection, reason = "few have it, and each has its place")]
    more: Option<Box<VecDeque<T>>>,
}

impl<T> Few<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn first(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub(crate) fn push(&mut self, value: T) {
        match &self.first {
            None => self.first = Some(value),
            Some(_) => self.more.get_or_insert_default().push_back(value),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let first = self.first.take()?;
        if let Some(more) = &mut self.more {
            self.first = more.pop_front();
            self.more.take_if(|more| more.is_empty());
        }
        Some(first)
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, more: None }
    }
}

/// All that are left.
impl<T> Iterator for Few<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn they_keep_their_order() {
        let mut few = Few::default();
        assert!(few.is_empty() && few.pop().is_none());
        for value in 1..=3 {
            few.push(value);
        }
        assert_eq!(few.first(), Some(&1));
        assert_eq!(few.pop(), Some(1));
        few.push(4);
        assert_eq!(few.by_ref().collect::<Vec<_>>(), [2, 3, 4]);
        assert!(few.is_empty() && few.more.is_none());
        few.push(5);
        assert_eq!((few.pop(), few.pop()), (Some(5), None));
    }
}
