use rustls_pki_types::{DnsName, ServerName};

use crate::Error;

/// A DNS name or an IP address, the latter also as a URL writes it (`[::1]`).
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    let invalid = || Error::InvalidServerName(name.to_owned());
    if let Some(bracketed) = name.strip_prefix('[') {
        let address: std::net::Ipv6Addr =
            bracketed.strip_suffix(']').and_then(|inner| inner.parse().ok()).ok_or_else(invalid)?;
        return Ok(ServerName::from(std::net::IpAddr::from(address)));
    }
    ServerName::try_from(name).map(|name| name.to_owned()).map_err(|_| invalid())
}

/// A DNS name as SNI carries it, lower case and without the final dot; `*.` may stand for its first label.
pub(crate) fn sni_pattern(pattern: &str) -> Result<String, Error> {
    let normal = pattern.strip_suffix('.').unwrap_or(pattern).to_ascii_lowercase();
    match DnsName::try_from(normal.strip_prefix("*.").unwrap_or(&normal)) {
        Ok(_) => Ok(normal),
        Err(_) => Err(Error::InvalidServerName(pattern.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names() {
        for good in ["localhost", "a.example", "A.example.", "127.0.0.1", "::1", "[::1]", "x_y.example"] {
            assert!(server_name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in
            ["", "[", "[]", "[::1", "::1]", "[127.0.0.1]", "a b", "a:443", "*.example", "é.example", &long]
        {
            assert!(matches!(server_name(bad), Err(Error::InvalidServerName(name)) if name == bad), "{bad}");
        }
    }

    #[test]
    fn sni_patterns() {
        assert_eq!(sni_pattern("Example.ORG.").unwrap(), "example.org");
        assert_eq!(sni_pattern("*.Example.org").unwrap(), "*.example.org");
        for bad in ["", "*", "*.", "a.*.example", "*.*.example", "127.0.0.1", "::1", "a b"] {
            assert!(sni_pattern(bad).is_err(), "{bad}");
        }
    }
}
