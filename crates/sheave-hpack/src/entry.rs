/// An entry of a table.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// The value follows the name.
    text: &'a [u8],
    name_len: usize,
}

impl<'a> Entry<'a> {
    /// The name is the first `name_len` octets of `text`, the value the rest.
    #[inline]
    pub(crate) const fn new(text: &'a [u8], name_len: usize) -> Self {
        Self { text, name_len }
    }

    /// Name and value.
    #[inline]
    pub(crate) const fn text(&self) -> &'a [u8] {
        self.text
    }

    #[inline]
    pub(crate) const fn name_len(&self) -> usize {
        self.name_len
    }

    #[inline]
    pub(crate) const fn name(&self) -> &'a [u8] {
        self.text.split_at(self.name_len).0
    }

    #[inline]
    pub(crate) const fn value(&self) -> &'a [u8] {
        self.text.split_at(self.name_len).1
    }
}
