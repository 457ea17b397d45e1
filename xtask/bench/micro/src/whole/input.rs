//! The frames in what a server has written, which may be cut anywhere.

use sheave::h2::StreamId;
use sheave::h2::frame::{Head, Kind, flag};

/// Finds them.
#[derive(Default)]
pub(super) struct Input {
    /// The beginning of a frame of which more is to come.
    partial: Vec<u8>,
    /// The DATA whose payload is coming, and how much of it is still missing.
    data: Option<(Head, usize)>,
}

/// Something that has come.
pub(super) enum Piece<'a> {
    /// A part of what a stream carries.
    Data(StreamId, &'a [u8]),
    /// The end of a stream, by DATA.
    End,
    /// Any other frame.
    Frame(Head, &'a [u8]),
}

impl Input {
    /// Gives `take` each piece of `bytes`. There is no padding in them.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            bytes = if self.data.is_some() || !self.partial.is_empty() {
                self.go_on(bytes, &mut take)
            } else {
                self.begin(bytes, &mut take)
            };
        }
    }

    /// Reads from where a frame begins. Returns what is behind.
    fn begin<'a>(&mut self, bytes: &'a [u8], take: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        if let Some(head) = Head::read(bytes) {
            let behind = &bytes[Head::LENGTH..];
            if head.kind == Kind::DATA {
                return self.read_data(head, head.length as usize, behind, take);
            }
            if let Some((payload, behind)) = behind.split_at_checked(head.length as usize) {
                take(Piece::Frame(head, payload));
                return behind;
            }
        }
        self.partial.extend_from_slice(bytes);
        &[]
    }

    fn go_on<'a>(&mut self, bytes: &'a [u8], take: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        if let Some((head, missing)) = self.data.take() {
            return self.read_data(head, missing, bytes, take);
        }
        // Octet by octet, since it is rare.
        self.partial.push(bytes[0]);
        let behind = &bytes[1..];
        let Some(head) = Head::read(&self.partial) else { return behind };
        if head.kind == Kind::DATA {
            self.partial.clear();
            return self.read_data(head, head.length as usize, behind, take);
        }
        if self.partial.len() == Head::LENGTH + head.length as usize {
            take(Piece::Frame(head, &self.partial[Head::LENGTH..]));
            self.partial.clear();
        }
        behind
    }

    fn read_data<'a>(
        &mut self,
        head: Head,
        missing: usize,
        bytes: &'a [u8],
        take: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let (part, behind) = bytes.split_at(bytes.len().min(missing));
        take(Piece::Data(head.stream, part));
        if part.len() < missing {
            self.data = Some((head, missing - part.len()));
        } else if head.has(flag::END_STREAM) {
            take(Piece::End);
        }
        behind
    }
}
