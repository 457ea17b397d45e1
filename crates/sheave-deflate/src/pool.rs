//! Compressors and decompressors that rest, for whichever connection of the thread needs one next.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use zlib_rs::{Deflate, DeflateConfig as Settings, Inflate};

/// What two compressors have in common that can stand in for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) level: u8,
    pub(crate) window_bits: u8,
    pub(crate) memory_level: u8,
}

impl Kind {
    /// About how many bytes a compressor of this kind takes, as zlib-rs 0.6 allocates them.
    pub(crate) fn size(self) -> usize {
        let (window, symbols) = (1 << self.window_bits, 1 << (self.memory_level + 6));
        // The hash table, the window twice and its chains, four bytes for each symbol and three more.
        (128 << 10) + 4 * window + 7 * symbols + (6 << 10)
    }

    fn make(self) -> Deflate {
        let settings = Settings {
            level: self.level.into(),
            // Negative: raw DEFLATE, without zlib's header.
            window_bits: -i32::from(self.window_bits),
            mem_level: self.memory_level.into(),
            ..Settings::default()
        };
        Deflate::new_with_config(settings)
    }
}

/// About how many bytes a decompressor takes, of which its window is most.
pub(crate) const INFLATE_SIZE: usize = 47 << 10;

/// How many of each a thread keeps.
const KEPT: usize = 4;

thread_local! {
    static DEFLATES: RefCell<Vec<(Kind, Deflate)>> = const { RefCell::new(Vec::new()) };
    static INFLATES: RefCell<Vec<Inflate>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A compressor that knows nothing of earlier messages.
pub(crate) fn deflate(kind: Kind) -> Deflate {
    let kept = DEFLATES.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        let index = kept.iter().rposition(|(other, _)| *other == kind)?;
        Some(kept.remove(index).1)
    });
    match kept.ok().flatten() {
        Some(mut deflate) => {
            deflate.reset();
            deflate
        }
        None => kind.make(),
    }
}

/// Gives a compressor back.
pub(crate) fn keep_deflate(kind: Kind, deflate: Deflate) {
    let _ = DEFLATES.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((kind, deflate));
    });
}

/// A decompressor that knows nothing of earlier messages; its window is the largest.
pub(crate) fn inflate() -> Inflate {
    let kept = INFLATES.try_with(|kept| kept.borrow_mut().pop());
    match kept.ok().flatten() {
        Some(mut inflate) => {
            inflate.reset(false);
            inflate
        }
        None => Inflate::new(false, 15),
    }
}

/// Gives a decompressor back.
pub(crate) fn keep_inflate(inflate: Inflate) {
    let _ = INFLATES.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < KEPT {
            kept.push(inflate);
        }
    });
}

/// Does `work` with a buffer to inflate or compress into.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    const SCRATCH_SIZE: usize = 16 << 10;
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    // Filled once, or when `work` itself comes here.
    scratch.resize(SCRATCH_SIZE, 0);
    let result = work(&mut scratch);
    let _ = SCRATCH.try_with(|cell| cell.set(scratch));
    result
}

/// How many bytes all connections hold between messages.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Leave to hold so many bytes between messages.
#[derive(Debug)]
pub(crate) struct Permit(usize);

impl Permit {
    /// Leave to hold `bytes`, if all that is held stays within `budget`.
    pub(crate) fn new(bytes: usize, budget: usize) -> Option<Self> {
        let within = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= budget);
        HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).ok()?;
        Some(Self(bytes))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}
