//! DEFLATE (RFC 1951) as plainly as it can be written: a reader that tells how far back a payload refers, and
//! a writer of whatever blocks a test needs.

const LENGTH_BASE: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];
const LENGTH_EXTRA: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA: [u32; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const CODE_LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Reads payloads one after the other, as with context takeover.
#[derive(Default)]
pub struct Reader {
    /// All messages so far.
    pub text: Vec<u8>,
    /// The longest distance so far.
    pub farthest: usize,
    /// The longest distance so far to before the start of its message.
    pub farthest_before: usize,
    /// How many blocks had BFINAL.
    pub finals: usize,
    /// Where the last of them ended in its payload, in bits.
    final_end: usize,
    /// The block that was last read is the one of which the end is left out.
    at_end: bool,
}

impl Reader {
    /// The message of a payload; `None` if it is not DEFLATE, or does not end with an empty block that lacks its
    /// end (RFC 7692 §7.2.1).
    pub fn read(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let input = [payload, &super::TAIL].concat();
        let start = self.text.len();
        let mut bits = Bits { bytes: &input, at: 0 };
        while bits.at < 8 * input.len() {
            self.block(&mut bits, start)?;
        }
        self.at_end.then(|| self.text[start..].to_vec())
    }

    /// As [`read`](Self::read), but a payload may be nothing, and there may be nothing behind a final block.
    pub fn read_any(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let start = self.text.len();
        self.final_end = 0;
        let message = self.read(payload);
        if message.is_none() && self.final_end == 8 * payload.len() {
            // What was read behind it is but the end of a block.
            return Some(self.text[start..].to_vec());
        }
        message
    }

    fn block(&mut self, bits: &mut Bits<'_>, start: usize) -> Option<()> {
        let last = bits.take(1)? == 1;
        self.at_end = false;
        match bits.take(2)? {
            0 => {
                bits.align();
                self.at_end = bits.at == 8 * (bits.bytes.len() - super::TAIL.len());
                let (length, complement) = (bits.take(16)?, bits.take(16)?);
                if length != complement ^ 0xffff {
                    return None;
                }
                for _ in 0..length {
                    self.text.push(u8::try_from(bits.take(8)?).unwrap());
                }
            }
            1 => self.codes(bits, &Code::new(&fixed_lengths()), &Code::new(&[5; 30]), start)?,
            2 => {
                let (literals, distances) = dynamic(bits)?;
                self.codes(bits, &literals, &distances, start)?;
            }
            _ => return None,
        }
        if last {
            self.finals += 1;
            bits.align();
            self.final_end = bits.at;
        }
        Some(())
    }

    fn codes(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code, start: usize) -> Option<()> {
        loop {
            match literals.decode(bits)? {
                256 => return Some(()),
                literal @ 0..256 => self.text.push(u8::try_from(literal).unwrap()),
                code => {
                    let length = LENGTH_BASE.get(code - 257)? + bits.take(LENGTH_EXTRA[code - 257])?;
                    let code = distances.decode(bits)?;
                    let distance = DISTANCE_BASE.get(code)? + bits.take(DISTANCE_EXTRA[code])?;
                    let from = self.text.len().checked_sub(distance)?;
                    self.farthest = self.farthest.max(distance);
                    if from < start {
                        self.farthest_before = self.farthest_before.max(distance);
                    }
                    for index in from..from + length {
                        self.text.push(self.text[index]);
                    }
                }
            }
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for index in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << index;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }
}

/// A Huffman code (RFC 1951 §3.2.2): how many symbols have each length, and the symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let of_length = (0..lengths.len()).filter(|symbol| lengths[*symbol] == length);
            let before = symbols.len();
            symbols.extend(of_length);
            *count = symbols.len() - before;
        }
        Self { counts, symbols }
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return Some(self.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

fn fixed_lengths() -> Vec<usize> {
    (0..288).map(|symbol| [8, 9, 7, 8][[144, 256, 280].partition_point(|end| *end <= symbol)]).collect()
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, codes) = (257 + bits.take(5)?, 1 + bits.take(5)?, 4 + bits.take(4)?);
    let mut lengths = [0; 19];
    for symbol in &CODE_LENGTH_ORDER[..codes] {
        lengths[*symbol] = bits.take(3)?;
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.decode(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    (lengths.len() == literals + distances)
        .then(|| (Code::new(&lengths[..literals]), Code::new(&lengths[literals..])))
}

/// Writes blocks.
#[derive(Default)]
pub struct Blocks {
    bytes: Vec<u8>,
    /// How many bits of the last byte are in use; 0 if all are.
    used: u32,
}

impl Blocks {
    pub fn new() -> Self {
        Self::default()
    }

    /// A block with the fixed codes.
    pub fn fixed(self, last: bool, write: impl FnOnce(Self) -> Self) -> Self {
        let block = write(self.bits(usize::from(last), 1).bits(1, 2)).symbol(256);
        if last { block.align() } else { block }
    }

    /// A block without compression.
    pub fn stored(self, last: bool, bytes: &[u8]) -> Self {
        let mut block = self.bits(usize::from(last), 1).bits(0, 2).align();
        let length = u16::try_from(bytes.len()).unwrap();
        block.bytes.extend_from_slice(&length.to_le_bytes());
        block.bytes.extend_from_slice(&(!length).to_le_bytes());
        block.bytes.extend_from_slice(bytes);
        block
    }

    /// Inside a fixed block: these bytes as they are.
    pub fn literals(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |block, byte| block.symbol(usize::from(*byte)))
    }

    /// Inside a fixed block: so many bytes from so far back.
    pub fn copy(self, length: usize, distance: usize) -> Self {
        let code = LENGTH_BASE.iter().rposition(|base| *base <= length).unwrap();
        let block = self.symbol(257 + code).bits(length - LENGTH_BASE[code], LENGTH_EXTRA[code]);
        let code = DISTANCE_BASE.iter().rposition(|base| *base <= distance).unwrap();
        block.code(code, 5).bits(distance - DISTANCE_BASE[code], DISTANCE_EXTRA[code])
    }

    /// Inside a fixed block: a distance code that does not exist (30 or 31), after a length.
    pub fn copy_from_nowhere(self, code: usize) -> Self {
        self.symbol(257).code(code, 5)
    }

    /// Inside a fixed block: a symbol of the literal and length alphabet, without extra bits.
    pub fn symbol(self, symbol: usize) -> Self {
        match symbol {
            0..144 => self.code(0x30 + symbol, 8),
            144..256 => self.code(0x190 + symbol - 144, 9),
            256..280 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// Bits, the lowest first.
    pub fn bits(mut self, value: usize, count: u32) -> Self {
        for index in 0..count {
            self = self.bit(value.checked_shr(index).unwrap_or(0) & 1);
        }
        self
    }

    /// What has been written, as it is.
    pub fn raw(self) -> Vec<u8> {
        self.bytes
    }

    /// The payload of a message: with the start of the empty block whose end is left out.
    pub fn payload(self) -> Vec<u8> {
        self.bits(0, 3).raw()
    }

    /// The bits of a Huffman code, the highest first.
    fn code(mut self, code: usize, count: u32) -> Self {
        for index in (0..count).rev() {
            self = self.bit(code >> index & 1);
        }
        self
    }

    fn bit(mut self, bit: usize) -> Self {
        if self.used == 0 {
            self.bytes.push(0);
        }
        *self.bytes.last_mut().unwrap() |= u8::try_from(bit).unwrap() << self.used;
        self.used = (self.used + 1) % 8;
        self
    }

    fn align(mut self) -> Self {
        self.used = 0;
        self
    }
}
