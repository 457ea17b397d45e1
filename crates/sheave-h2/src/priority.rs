//! How urgent a stream is (RFC 9218).

use http::{HeaderMap, HeaderName};

/// The priority of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// 0 to 7; 0 goes first (RFC 9218 §4.1).
    pub urgency: u8,
    /// Whether a part of it is of use, so that it goes side by side with others of its urgency (RFC 9218 §4.2).
    pub incremental: bool,
}

impl Default for Priority {
    fn default() -> Self {
        Self { urgency: 3, incremental: false }
    }
}

impl Priority {
    /// How many urgencies there are.
    pub(crate) const URGENCIES: usize = 8;

    /// Reads the value of the field `priority`, or of a PRIORITY_UPDATE: a dictionary (RFC 8941 §3.2). What is unknown
    /// or out of range is left out (RFC 9218 §4).
    pub fn read(value: &[u8]) -> Self {
        let mut priority = Self::default();
        priority.take(value);
        priority
    }

    /// What the field `priority` says, if there is one (RFC 9218 §5).
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        const PRIORITY: HeaderName = HeaderName::from_static("priority");
        if headers.is_empty() {
            return None;
        }
        let mut lines = headers.get_all(PRIORITY).iter().peekable();
        lines.peek()?;
        let mut priority = Self::default();
        lines.for_each(|line| priority.take(line.as_bytes()));
        Some(priority)
    }

    fn take(&mut self, value: &[u8]) {
        for member in value.split(|&byte| byte == b',') {
            // Parameters of a member mean nothing.
            let member = member.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
            match member {
                [b'u', b'=', digit @ b'0'..=b'7'] => self.urgency = digit - b'0',
                b"i" | b"i=?1" => self.incremental = true,
                b"i=?0" => self.incremental = false,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read() {
        for (value, urgency, incremental) in [
            ("", 3, false),
            ("u=0", 0, false),
            ("u=7, i", 7, true),
            ("i=?1,u=5", 5, true),
            ("u=1;x=2, i=?0", 1, false),
            ("u=8, i", 3, true),
            ("u=-1", 3, false),
            ("u=1.5", 3, false),
            ("u, i=1", 3, false),
            ("u=2, u=4", 4, false),
            ("a, b=?1, u=6", 6, false),
            ("\u{fffd}\0,,,", 3, false),
        ] {
            assert_eq!(Priority::read(value.as_bytes()), Priority { urgency, incremental }, "{value}");
        }
    }
}
