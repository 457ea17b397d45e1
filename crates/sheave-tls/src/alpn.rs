use crate::Error;

/// RFC 7301 §3.1: `opaque ProtocolName<1..2^8-1>`, in a list that shares its 64 KiB with the rest of the ClientHello.
/// rustls takes the lengths on trust.
pub(crate) fn check(protocols: &[Vec<u8>]) -> Result<(), Error> {
    let mut total = 0;
    for name in protocols {
        total += 1 + name.len();
        if name.is_empty() || name.len() > 255 || total > MAX_LIST {
            return Err(Error::InvalidAlpn(name.clone()));
        }
    }
    Ok(())
}

pub(crate) fn owned(protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Vec<Vec<u8>> {
    protocols.into_iter().map(Into::into).collect()
}

/// For `Debug`.
pub(crate) fn printable(protocols: &[Vec<u8>]) -> Vec<String> {
    protocols.iter().map(|name| name.escape_ascii().to_string()).collect()
}

const MAX_LIST: usize = 32 * 1024;
