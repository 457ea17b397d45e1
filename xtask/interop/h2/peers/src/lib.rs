//! What the peers of the checks have in common. The checks are told in `xtask/interop/README.md`.

/// What subprotocol a server chooses: the first one that it knows of those that the client offers.
pub fn chosen<'o>(offered: impl Iterator<Item = &'o str>) -> Option<&'o str> {
    offered.into_iter().find(|name| ["chat", "superchat", "echo.v1"].contains(name))
}

/// The code and the reason in the words of a check's name or of a path: none, a code, a code and a reason.
pub fn close_words<'w>(words: &[&'w str]) -> Option<(u16, &'w str)> {
    let code = words.first()?.parse().ok()?;
    Some((code, words.get(1).copied().unwrap_or_default()))
}
