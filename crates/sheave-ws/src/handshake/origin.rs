//! Which web pages may open a WebSocket here (RFC 6455 §10.2).

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::ORIGIN;

use super::authority::{HostPort, default_port};

/// Which values of `Origin` a server accepts.
///
/// A browser sends the cookies of a site with a WebSocket that *any* page opens to it, and asks no leave as
/// it does for `fetch`; the server alone can stop a foreign page, by its `Origin`. A request without `Origin`
/// comes from no browser and always passes. A request with several is refused, except under
/// [`Any`](Self::Any).
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Pages of the very host and port that the request names (`Host`, or `:authority`).
    ///
    /// A server behind something that ends TLS cannot know its own scheme, so the scheme is compared only
    /// where [`ServerHandshake::secure`] tells it; the origin's own scheme says which port is meant where
    /// either side names none. `Origin: null`, which sandboxed and local pages send, is refused.
    ///
    /// [`ServerHandshake::secure`]: field@super::ServerHandshake::secure
    #[default]
    SameOrigin,
    /// Every page of the web: right only where no cookie and no place in a network grants anything.
    Any,
    /// These origins and no others, such as `https://example.org` or `https://example.org:8443`.
    ///
    /// `https://*.example.org` stands for every host below `example.org`, not for that itself; `null` for
    /// pages without an origin. A `/` at the end is of no account. `*` alone stands for nothing: every page is
    /// [`Any`](Self::Any). The request's own host is not implied, so that a list also withstands DNS
    /// rebinding.
    Allowed(Vec<String>),
    /// Whatever this function says of the origin.
    Custom(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl OriginPolicy {
    /// Accepts these origins only: see [`Allowed`](Self::Allowed).
    pub fn allowed<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self::Allowed(origins.into_iter().map(Into::into).collect())
    }

    /// Asks a function: see [`Custom`](Self::Custom).
    pub fn custom(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(accepts))
    }

    /// Whether a request with these headers, for this authority (`host[:port]`), may open a WebSocket.
    ///
    /// Whether the request came by TLS is taken for unknown: [`ServerHandshake::secure`] is for where it is
    /// not.
    ///
    /// [`ServerHandshake::secure`]: field@super::ServerHandshake::secure
    pub fn accepts(&self, headers: &HeaderMap, authority: &str) -> bool {
        self.accepts_over(None, headers, authority)
    }

    pub(super) fn accepts_over(&self, secure: Option<bool>, headers: &HeaderMap, authority: &str) -> bool {
        if matches!(self, Self::Any) {
            return true;
        }
        let mut origins = headers.get_all(ORIGIN).into_iter();
        let Some(origin) = origins.next() else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        if origins.next().is_some() {
            return false;
        }
        match self {
            Self::Any => true,
            Self::SameOrigin => is_same_origin(origin, authority, secure),
            Self::Allowed(allowed) => allowed.iter().any(|allowed| matches_origin(allowed, origin)),
            Self::Custom(accepts) => accepts(origin),
        }
    }
}

impl fmt::Debug for OriginPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameOrigin => f.write_str("SameOrigin"),
            Self::Any => f.write_str("Any"),
            Self::Allowed(origins) => f.debug_tuple("Allowed").field(origins).finish(),
            Self::Custom(_) => f.debug_tuple("Custom").finish_non_exhaustive(),
        }
    }
}

fn is_same_origin(origin: &str, authority: &str, secure: Option<bool>) -> bool {
    let Some((scheme, origin)) = split(origin) else { return false };
    let Some(default) = default_port(scheme) else { return false };
    let Some(own) = HostPort::parse(authority) else { return false };
    // RFC 6454 §5: a page that came in plain text may be anyone's
    if secure.is_some_and(|secure| secure != (default == 443)) {
        return false;
    }
    origin.host.eq_ignore_ascii_case(own.host)
        && origin.port.unwrap_or(default) == own.port.unwrap_or(default)
}

fn matches_origin(allowed: &str, origin: &str) -> bool {
    // as copied from a browser
    let allowed = allowed.strip_suffix('/').unwrap_or(allowed);
    let (Some((allowed_scheme, allowed)), Some((scheme, origin))) = (split(allowed), split(origin)) else {
        // "null", and schemes of which we know nothing
        return allowed.eq_ignore_ascii_case(origin);
    };
    let default = default_port(scheme);
    allowed_scheme.eq_ignore_ascii_case(scheme)
        && allowed.port.or(default) == origin.port.or(default)
        && matches_host(allowed.host, origin.host)
}

fn matches_host(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix('*') {
        Some(parent) if parent.starts_with('.') => {
            let start = host.len().saturating_sub(parent.len());
            start > 0 && host.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(parent))
        }
        _ => allowed.eq_ignore_ascii_case(host),
    }
}

/// The serialization of an origin (RFC 6454 §6.2): scheme, host and port, and nothing behind them.
fn split(origin: &str) -> Option<(&str, HostPort<'_>)> {
    let (scheme, authority) = origin.split_once("://")?;
    Some((scheme, HostPort::parse(authority)?))
}
