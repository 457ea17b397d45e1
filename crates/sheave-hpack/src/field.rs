use core::fmt;

/// A field line: a name and a value, which HPACK takes for any octets.
///
/// Names are lower-case in HTTP/2 (RFC 9113 §8.2.1). That, and which octets may be in the two, is for the
/// caller to see to, in both directions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The value is a secret that nobody may be able to guess from how well it compresses: it goes as a
    /// literal that is never indexed (RFC 7541 §7.1.3), also when an intermediary passes it on.
    pub sensitive: bool,
}

impl<'a> Field<'a> {
    /// A field that may be indexed.
    pub fn new<N, V>(name: &'a N, value: &'a V) -> Self
    where
        N: AsRef<[u8]> + ?Sized,
        V: AsRef<[u8]> + ?Sized,
    {
        Self { name: name.as_ref(), value: value.as_ref(), sensitive: false }
    }

    /// The same as a field that is never indexed.
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// What it counts in a table (RFC 7541 §4.1) and in a list (RFC 9113 §6.5.2): 32 more than its octets.
    pub fn size(&self) -> usize {
        size_of_field(self.name.len(), self.value.len())
    }
}

/// Keeps a sensitive value out of logs.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}: ", self.name.escape_ascii())?;
        match self.sensitive {
            true => f.write_str("(sensitive)\""),
            false => write!(f, "{}\"", self.value.escape_ascii()),
        }
    }
}

/// The estimated overhead of an entry is part of its size (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

pub(crate) fn size_of_field(name: usize, value: usize) -> usize {
    name.saturating_add(value).saturating_add(OVERHEAD)
}
