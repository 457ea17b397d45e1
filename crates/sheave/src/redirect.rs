//! Following a redirect (RFC 9110 §15.4, RFC 3986 §5.2).

use http::header::{AUTHORIZATION, COOKIE};

use crate::error::Error;
use crate::ws::handshake::{ClientRequest, Rejection};

/// The request that a redirect asks for.
pub(crate) fn follow(request: &ClientRequest, rejection: Rejection) -> Result<ClientRequest, Error> {
    let target = rejection.location().and_then(|location| resolve(request, location));
    let Some(mut next) = target.and_then(|url| request.redirected(&url).ok()) else {
        return Err(Error::Redirect(rejection));
    };
    // What was sent over TLS is not sent in plain text.
    if request.is_secure() && !next.is_secure() {
        return Err(Error::Redirect(rejection));
    }
    if !is_same_origin(request, &next) {
        // RFC 9110 §15.4: credentials are not for another origin.
        next = next.without_header(&AUTHORIZATION).without_header(&COOKIE);
    }
    Ok(next)
}

/// Whether both lead to the same scheme, host and port.
pub(crate) fn is_same_origin(one: &ClientRequest, other: &ClientRequest) -> bool {
    one.is_secure() == other.is_secure()
        && one.host().eq_ignore_ascii_case(other.host())
        && one.port() == other.port()
}

/// The URL that a `Location` means, seen from the request that it answers.
fn resolve(request: &ClientRequest, location: &str) -> Option<String> {
    let base = request.uri();
    // A fragment is not sent (RFC 9110 §10.2.2).
    let location = location.split('#').next()?;
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let path = base.path();
    Some(if location.is_empty() {
        base.to_string()
    } else if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let folder = &path[..=path.rfind('/')?];
        format!("{scheme}://{authority}{folder}{location}")
    })
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn locations_are_resolved_against_the_request() {
        let base = "wss://example.org:8443/a/b?c=d".parse().unwrap();
        for (location, expected) in [
            ("wss://other.example/x", "wss://other.example/x"),
            ("https://other.example/x#part", "https://other.example/x"),
            ("//other.example/x", "wss://other.example/x"),
            ("/x?y", "wss://example.org:8443/x?y"),
            ("x", "wss://example.org:8443/a/x"),
            ("?z", "wss://example.org:8443/a/b?z"),
            ("#part", "wss://example.org:8443/a/b?c=d"),
        ] {
            assert_eq!(resolve(&base, location).as_deref(), Some(expected), "{location}");
        }
    }
}
