use std::task::Waker;

/// Who is woken in the end.
#[derive(Default)]
pub(super) struct Woken {
    first: Option<Waker>,
    /// It is seldom more than one.
    more: Vec<Waker>,
}

impl Woken {
    pub(super) fn add(&mut self, waker: &mut Option<Waker>) {
        let Some(waker) = waker.take() else { return };
        match &self.first {
            None => self.first = Some(waker),
            // Dropped here, it might do anything while others are locked out.
            Some(_) => self.more.push(waker),
        }
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        let Some(first) = self.first.take() else { return };
        self.more.retain(|waker| !waker.will_wake(&first));
        first.wake();
        self.more.drain(..).for_each(Waker::wake);
    }
}
