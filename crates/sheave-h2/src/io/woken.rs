use std::task::Waker;

/// Who is woken in the end.
#[derive(Default)]
pub(super) struct Woken([Option<Waker>; 4]);

impl Woken {
    pub(super) fn add(&mut self, waker: &mut Option<Waker>) {
        if let (Some(place), Some(waker)) = (self.0.iter_mut().find(|place| place.is_none()), waker.take()) {
            *place = Some(waker);
        }
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        if self.0[0].is_none() {
            return;
        }
        self.0.iter_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}
