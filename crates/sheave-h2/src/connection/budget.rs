use crate::flow::Window;

/// The connection's window for what the peer sends (RFC 9113 §5.2), as a budget of memory.
///
/// What arrives is credited at once, so that a stream that nobody reads never stops the others. Only when as much as the
/// window is unread, the peer gets no more until something is read: at most twice the window is ever held.
#[derive(Debug)]
pub(super) struct Budget {
    /// How much the peer may still send, as it knows.
    window: Window,
    size: u32,
    /// What the peer is to be told.
    owed: u32,
    /// What it will be told once something is read.
    withheld: u32,
    /// What was handed out and not given back.
    unread: usize,
    /// How much the windows of streams have grown in all.
    grown: u32,
}

impl Budget {
    pub(super) fn new(size: u32) -> Self {
        Self {
            window: Window::new(Window::DEFAULT),
            size,
            owed: size.saturating_sub(Window::DEFAULT),
            withheld: 0,
            unread: 0,
            grown: 0,
        }
    }

    /// A DATA frame arrived. False if the window did not allow it.
    pub(super) fn arrived(&mut self, length: usize) -> bool {
        let allowed = self.window.take(length);
        self.unread += length;
        self.withheld += length as u32;
        self.credit();
        allowed
    }

    /// That much was read, or will never be.
    pub(super) fn released(&mut self, length: usize) {
        self.unread = self.unread.saturating_sub(length);
        self.credit();
    }

    fn credit(&mut self) {
        if !self.is_exhausted() {
            self.owed += std::mem::take(&mut self.withheld);
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.unread > self.size as usize
    }

    /// How much more the peer is to be let send now. 0 if it is not worth it.
    pub(super) fn update(&mut self) -> u32 {
        if self.owed == 0 || self.owed < self.size / 4 && self.window.available() >= self.size as usize / 2 {
            return 0;
        }
        let increment = std::mem::take(&mut self.owed);
        // Never more than it had at first.
        let _ = self.window.grow(increment);
        increment
    }

    /// How much the windows of streams have grown in all.
    pub(super) fn grown(&self) -> u32 {
        self.grown
    }

    /// How much the windows of streams may still grow. Half is left for what they are at first, so that readers that stop
    /// when their windows have grown do not use up everything.
    pub(super) fn spare(&self) -> u32 {
        (self.size / 2).saturating_sub(self.grown)
    }

    pub(super) fn grew(&mut self, length: u32) {
        self.grown += length;
    }

    pub(super) fn shrank(&mut self, length: u32) {
        self.grown = self.grown.saturating_sub(length);
    }
}
