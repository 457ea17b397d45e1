use sheave_deflate::ExtensionOffer;

/// The extensions of a line that is in order.
pub fn parse(line: &str) -> Vec<ExtensionOffer> {
    ExtensionOffer::parse([line.as_bytes()]).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Its only one.
pub fn parse_one(line: &str) -> ExtensionOffer {
    let mut offers = parse(line);
    assert_eq!(offers.len(), 1, "{line}");
    offers.remove(0)
}
