//! The peer: miniz_oxide, by way of flate2, whose window is always 32 KiB.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// What RFC 7692 §7.2.1 strips from a message and §7.2.2 puts back.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Inflates what we compressed.
pub struct Inflater {
    stream: Decompress,
    takeover: bool,
}

impl Inflater {
    pub fn new(takeover: bool) -> Self {
        Self { stream: Decompress::new(false), takeover }
    }

    /// The message of a payload without BFINAL.
    pub fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &TAIL].concat();
        let (start, mut message) = (self.stream.total_in(), Vec::with_capacity(4 * input.len() + 64));
        loop {
            let read = usize::try_from(self.stream.total_in() - start).unwrap();
            let status = self.stream.decompress_vec(&input[read..], &mut message, FlushDecompress::Sync);
            assert_ne!(status.expect("valid DEFLATE"), Status::StreamEnd, "an unexpected final block");
            let read = usize::try_from(self.stream.total_in() - start).unwrap();
            if read == input.len() && message.len() < message.capacity() {
                break;
            }
            message.reserve(message.len());
        }
        if !self.takeover {
            self.stream.reset(false);
        }
        message
    }
}

/// Compresses what we are to inflate.
pub struct Deflater {
    stream: Compress,
    takeover: bool,
    payload: Vec<u8>,
}

impl Deflater {
    pub fn new(level: u32, takeover: bool) -> Self {
        let stream = Compress::new(Compression::new(level), false);
        Self { stream, takeover, payload: Vec::new() }
    }

    /// The next part of a message, flushed if `flush` says how.
    pub fn part(&mut self, part: &[u8], flush: FlushCompress) {
        let start = self.stream.total_in();
        loop {
            self.payload.reserve(part.len() / 2 + 64);
            let read = usize::try_from(self.stream.total_in() - start).unwrap();
            let status = self.stream.compress_vec(&part[read..], &mut self.payload, flush).unwrap();
            let read = usize::try_from(self.stream.total_in() - start).unwrap();
            let room = self.payload.len() < self.payload.capacity();
            if status == Status::StreamEnd
                || read == part.len() && room && !matches!(flush, FlushCompress::Finish)
            {
                return;
            }
        }
    }

    /// The payload, ended as RFC 7692 §7.2.1 recommends.
    pub fn finish(&mut self) -> Vec<u8> {
        self.part(&[], FlushCompress::Sync);
        let mut payload = std::mem::take(&mut self.payload);
        match payload.strip_suffix(&TAIL) {
            Some(start) => payload.truncate(start.len()),
            None => payload.push(0),
        }
        if !self.takeover {
            self.stream.reset();
        }
        payload
    }

    /// The payload, ended by a final block and, with `padded`, the byte that RFC 7692 §7.2.3.4 puts behind it.
    pub fn finish_final(&mut self, padded: bool) -> Vec<u8> {
        self.part(&[], FlushCompress::Finish);
        self.stream.reset();
        let mut payload = std::mem::take(&mut self.payload);
        if padded {
            payload.push(0);
        }
        payload
    }

    pub fn message(&mut self, message: &[u8]) -> Vec<u8> {
        self.part(message, FlushCompress::None);
        self.finish()
    }
}

/// About a megabyte that inflates to a gigabyte of zeros; and that gigabyte's length.
pub fn bomb() -> (Vec<u8>, usize) {
    const PIECE: usize = 1 << 20;
    let mut deflater = Deflater::new(9, true);
    deflater.part(&vec![0; PIECE], FlushCompress::Sync);
    let mut bomb = std::mem::take(&mut deflater.payload);
    // From here on each piece finds the same behind it, and compresses to the same.
    deflater.part(&vec![0; PIECE], FlushCompress::Sync);
    let piece = std::mem::take(&mut deflater.payload);
    for _ in 1..1024 {
        bomb.extend_from_slice(&piece);
    }
    bomb.push(0);
    assert!(bomb.len() < 5 << 18, "{} bytes", bomb.len());
    (bomb, 1024 * PIECE)
}
