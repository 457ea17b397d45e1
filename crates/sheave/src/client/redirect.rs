//! Following a redirect (RFC 9110 §15.4, RFC 3986 §5.2).

use http::Uri;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};

use crate::error::Error;
use crate::ws::handshake::{ClientRequest, Rejection};

/// The request that a redirect asks for.
pub(crate) fn follow(request: &ClientRequest, rejection: Rejection) -> Result<ClientRequest, Error> {
    let target = rejection.location().and_then(|location| resolve(request.uri(), location));
    let Some(mut next) = target.and_then(|url| request.redirected(&url).ok()) else {
        return Err(Error::Redirect(rejection));
    };
    // What was sent over TLS is not sent in plain text.
    if request.is_secure() && !next.is_secure() {
        return Err(Error::Redirect(rejection));
    }
    if !is_same_origin(request, &next) {
        // RFC 9110 §15.4: credentials are not for another origin.
        for credentials in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
            next = next.without_header(&credentials);
        }
    }
    Ok(next)
}

/// Whether both lead to the same scheme, host and port.
pub(crate) fn is_same_origin(one: &ClientRequest, other: &ClientRequest) -> bool {
    one.is_secure() == other.is_secure()
        && one.host().eq_ignore_ascii_case(other.host())
        && one.port() == other.port()
}

/// The URL that a `Location` means, seen from the request that it answers (RFC 3986 §5.2).
fn resolve(base: &Uri, location: &str) -> Option<String> {
    // A fragment is not sent (RFC 9110 §10.2.2).
    let location = location.split('#').next()?;
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    if location.is_empty() {
        return Some(base.to_string());
    }
    // A colon ahead of all else ends a scheme; behind a slash or in a query it is only a colon.
    if location.find([':', '/', '?']).is_some_and(|first| location[first..].starts_with(':')) {
        return Some(location.to_owned());
    }
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    let (path, query) = location.split_at(location.find('?').unwrap_or(location.len()));
    let path = if path.is_empty() {
        base.path().to_owned()
    } else if path.starts_with('/') {
        without_dots(path)
    } else {
        let folder = &base.path()[..=base.path().rfind('/')?];
        without_dots(&format!("{folder}{path}"))
    };
    Some(format!("{scheme}://{authority}{path}{query}"))
}

/// A path, which begins with a slash, without the segments `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    // What ends in one of them is a folder.
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{Uri, resolve};

    #[test]
    fn locations_are_resolved_against_the_request() {
        let base: Uri = "wss://example.org:8443/a/b?c=d".parse().unwrap();
        for (location, expected) in [
            ("wss://other.example/x", "wss://other.example/x"),
            ("https://other.example/x#part", "https://other.example/x"),
            ("//other.example/x", "wss://other.example/x"),
            ("/x?y", "wss://example.org:8443/x?y"),
            ("x", "wss://example.org:8443/a/x"),
            ("?z", "wss://example.org:8443/a/b?z"),
            ("#part", "wss://example.org:8443/a/b?c=d"),
            ("/x?to=https://other.example/", "wss://example.org:8443/x?to=https://other.example/"),
            ("x?to=https://other.example/", "wss://example.org:8443/a/x?to=https://other.example/"),
            ("x/y:z", "wss://example.org:8443/a/x/y:z"),
            ("../x", "wss://example.org:8443/x"),
            ("../../x", "wss://example.org:8443/x"),
            ("./x/./y", "wss://example.org:8443/a/x/y"),
            ("/x/y/..", "wss://example.org:8443/x/"),
            ("/x/y/.", "wss://example.org:8443/x/y/"),
            ("..", "wss://example.org:8443/"),
            (".", "wss://example.org:8443/a/"),
            ("/x?../y", "wss://example.org:8443/x?../y"),
            ("mailto:someone", "mailto:someone"),
        ] {
            assert_eq!(resolve(&base, location).as_deref(), Some(expected), "{location}");
        }
    }
}
