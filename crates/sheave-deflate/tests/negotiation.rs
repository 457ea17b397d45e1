//! RFC 7692 §5, §7.1: every offer and every answer, against what the RFC says of each.

mod support;

use sheave_deflate::{Agreement, DeflateConfig, Direction, ExtensionOffer, NAME};
use support::parse_one;

/// A `max_window_bits` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bits {
    Absent,
    Bare,
    Of(u8),
}

/// The four parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    server_forgets: bool,
    client_forgets: bool,
    server_bits: Bits,
    client_bits: Bits,
}

/// A configuration and what it was made of.
struct Wanted {
    config: DeflateConfig,
    own: u8,
    takeover: bool,
    peer: u8,
    peer_takeover: bool,
}

const BOTH: [bool; 2] = [false, true];

impl Shape {
    fn all() -> Vec<Self> {
        let bits = || [Bits::Absent, Bits::Bare].into_iter().chain((8..=15).map(Bits::Of));
        let mut all = Vec::new();
        for (server_forgets, client_forgets) in pairs() {
            for server_bits in bits() {
                all.extend(bits().map(|client_bits| Self {
                    server_forgets,
                    client_forgets,
                    server_bits,
                    client_bits,
                }));
            }
        }
        assert_eq!(all.len(), 400);
        all
    }

    /// As on the wire, the parameters turned by `turn`: their order means nothing.
    fn write(self, turn: usize) -> String {
        let bits = |name: &str, bits| match bits {
            Bits::Absent => None,
            Bits::Bare => Some(name.to_owned()),
            Bits::Of(bits) => Some(format!("{name}={bits}")),
        };
        let mut parameters: Vec<_> = [
            self.server_forgets.then(|| "server_no_context_takeover".to_owned()),
            self.client_forgets.then(|| "client_no_context_takeover".to_owned()),
            bits("server_max_window_bits", self.server_bits),
            bits("client_max_window_bits", self.client_bits),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !parameters.is_empty() {
            let middle = turn % parameters.len();
            parameters.rotate_left(middle);
        }
        parameters.insert(0, NAME.to_owned());
        parameters.join("; ")
    }

    /// Of what our side wrote, which has each parameter at most once.
    fn read(extension: &ExtensionOffer) -> Self {
        assert_eq!(extension.name(), NAME);
        assert!(extension.is_well_formed());
        let find = |wanted: &str| {
            let mut found = extension.parameters().iter().filter(|(name, _)| name == wanted);
            let first = found.next().map(|(_, value)| value.clone());
            assert!(found.next().is_none(), "{wanted} twice");
            first
        };
        let flag = |name| match find(name) {
            Some(Some(value)) => panic!("{name}={value}"),
            found => found.is_some(),
        };
        let bits = |name| match find(name) {
            None => Bits::Absent,
            Some(None) => Bits::Bare,
            Some(Some(value)) => {
                let bits = value.parse().unwrap();
                assert_eq!(value, format!("{bits}"));
                assert!((8..=15).contains(&bits), "{value}");
                Bits::Of(bits)
            }
        };
        let shape = Self {
            server_forgets: flag("server_no_context_takeover"),
            client_forgets: flag("client_no_context_takeover"),
            server_bits: bits("server_max_window_bits"),
            client_bits: bits("client_max_window_bits"),
        };
        let count = [shape.server_forgets, shape.client_forgets].into_iter().filter(|set| *set).count()
            + [shape.server_bits, shape.client_bits].iter().filter(|bits| **bits != Bits::Absent).count();
        assert_eq!(extension.parameters().len(), count, "an unknown parameter: {extension}");
        shape
    }
}

impl Bits {
    /// RFC 7692 §7.1.2: without a value up to 32,768 bytes.
    fn limit(self) -> u8 {
        match self {
            Self::Of(bits) => bits,
            Self::Absent | Self::Bare => 15,
        }
    }
}

impl Wanted {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (own, peer) in (9..=15).flat_map(|own| (8..=15).map(move |peer| (own, peer))) {
            for (takeover, peer_takeover) in pairs() {
                let config = DeflateConfig::default()
                    .window_bits(own)
                    .peer_window_bits(peer)
                    .context_takeover(takeover)
                    .peer_context_takeover(peer_takeover);
                all.push(Self { config, own, takeover, peer, peer_takeover });
            }
        }
        assert_eq!(all.len(), 224);
        all
    }
}

fn pairs() -> impl Iterator<Item = (bool, bool)> {
    BOTH.into_iter().flat_map(|one| BOTH.map(|other| (one, other)))
}

/// What a server answers to these lines: to the first offer that it accepts.
fn serve(config: &DeflateConfig, lines: &[&str]) -> Option<(String, Agreement)> {
    let offers = ExtensionOffer::parse(lines.iter().map(|line| line.as_bytes())).unwrap();
    offers.iter().find_map(|offer| config.answer(offer)).map(|(answer, agreed)| (answer.to_string(), agreed))
}

fn agreement(client: (u8, bool), server: (u8, bool)) -> Agreement {
    let direction = |(window_bits, context_takeover): (u8, bool)| Direction { window_bits, context_takeover };
    Agreement { client: direction(client), server: direction(server) }
}

/// What an answer means (RFC 7692 §7.2.1): what is absent is not limited.
fn meaning(answer: Shape) -> Agreement {
    agreement(
        (answer.client_bits.limit(), !answer.client_forgets),
        (answer.server_bits.limit(), !answer.server_forgets),
    )
}

#[test]
fn a_server_answers_every_offer_as_the_rfc_says() {
    let offers: Vec<_> = Shape::all()
        .into_iter()
        .enumerate()
        .map(|(turn, offer)| (offer, parse_one(&offer.write(turn))))
        .collect();
    for wanted in Wanted::all() {
        for (offer, written) in &offers {
            let at = || format!("{:?} to {written}", wanted.config);
            let answered = wanted.config.answer(written);
            // §7.1.2.1: in an offer it has a value; and we cannot do with 8.
            let declined = matches!(offer.server_bits, Bits::Bare | Bits::Of(8));
            assert_eq!(answered.is_none(), declined, "{}", at());
            if let Some((answer, agreed)) = answered {
                let answer = Shape::read(&answer);
                assert_eq!(agreed, meaning(answer), "{}", at());
                check_answer(&wanted, offer, answer, agreed, at);
            }
        }
    }
}

fn check_answer(wanted: &Wanted, offer: &Shape, answer: Shape, agreed: Agreement, at: impl Fn() -> String) {
    // §7.1.1.1: accepted by including it, or included of the server's own will.
    assert_eq!(answer.server_forgets, offer.server_forgets || !wanted.takeover, "{}", at());

    // §7.1.2.1: accepted with the same or a smaller value. Never without a value.
    match (offer.server_bits, answer.server_bits) {
        (Bits::Of(offered), Bits::Of(answered)) => assert!(answered <= offered, "{}", at()),
        (Bits::Absent, Bits::Absent | Bits::Of(_)) => {}
        _ => panic!("{}", at()),
    }
    // What we compress with, and no less than could be.
    assert_eq!(agreed.server.window_bits, wanted.own.min(offer.server_bits.limit()), "{}", at());

    // §7.1.2.2: never if it was not offered; never more than was offered; never without a value.
    match (offer.client_bits, answer.client_bits) {
        (Bits::Of(offered), Bits::Of(answered)) => assert!(answered <= offered, "{}", at()),
        (Bits::Bare, Bits::Of(_)) | (_, Bits::Absent) => {}
        _ => panic!("{}", at()),
    }
    // Nor 8, unless the client said that it can do with that: many cannot.
    assert!(answer.client_bits != Bits::Of(8) || offer.client_bits == Bits::Of(8), "{}", at());
    let lowest = if offer.client_bits == Bits::Of(8) { 8 } else { 9 };
    let limit = match offer.client_bits {
        Bits::Absent => 15,
        offered => offered.limit().min(wanted.peer.max(lowest)),
    };
    assert_eq!(agreed.client.window_bits, limit, "{}", at());

    // §7.1.1.2: the hint is used; and a client that keeps more than we would is told to forget it.
    let too_far = limit > wanted.peer;
    let forgets = offer.client_forgets || !wanted.peer_takeover || too_far;
    assert_eq!(answer.client_forgets, forgets, "{}", at());
    // So never is more to be kept than was configured.
    assert!(!agreed.client.context_takeover || agreed.client.window_bits <= wanted.peer, "{}", at());
}

#[test]
fn a_client_offers_what_it_wants() {
    for wanted in Wanted::all() {
        let offer = wanted.config.offer();
        assert_eq!(parse_one(&offer.to_string()), offer);
        let unless_15 = |bits, otherwise| if bits == 15 { otherwise } else { Bits::Of(bits) };
        let expected = Shape {
            server_forgets: !wanted.peer_takeover,
            client_forgets: !wanted.takeover,
            server_bits: unless_15(wanted.peer, Bits::Absent),
            client_bits: unless_15(wanted.own, Bits::Bare),
        };
        assert_eq!(Shape::read(&offer), expected, "{:?}", wanted.config);
    }
}

#[test]
fn a_client_confirms_only_what_follows_from_its_offer() {
    let answers: Vec<_> = Shape::all()
        .into_iter()
        .enumerate()
        .map(|(turn, answer)| (answer, parse_one(&answer.write(turn))))
        .collect();
    for wanted in Wanted::all() {
        let offer = Shape::read(&wanted.config.offer());
        for (answer, written) in &answers {
            let confirmed = wanted.config.confirm(written);
            // §7.1.2: in an answer both have a value.
            let valid = answer.server_bits != Bits::Bare && answer.client_bits != Bits::Bare;
            // §7.1.1.1: a server accepts by including it.
            let forgets = answer.server_forgets || !offer.server_forgets;
            // §7.1.2.1: a server accepts by including it, with the same or a smaller value.
            let near = match offer.server_bits {
                Bits::Of(offered) => matches!(answer.server_bits, Bits::Of(answered) if answered <= offered),
                _ => true,
            };
            // §7.1.2.2: the same or a smaller value; and we cannot do with 8.
            let possible = match answer.client_bits {
                Bits::Of(answered) => answered >= 9 && answered <= offer.client_bits.limit(),
                _ => true,
            };
            // §7.1.1.2: a client MUST support client_no_context_takeover.
            let expected = (valid && forgets && near && possible).then(|| meaning(*answer));
            assert_eq!(confirmed, expected, "{:?}: {written}", wanted.config);
            if valid {
                assert_eq!(Agreement::of_answer(written), Some(meaning(*answer)), "{written}");
            }
        }
    }
}

#[test]
fn our_client_confirms_whatever_our_server_answers() {
    let all = Wanted::all();
    let offers: Vec<_> = all.iter().map(|client| parse_one(&client.config.offer().to_string())).collect();
    for server in &all {
        for (client, offer) in all.iter().zip(&offers) {
            let at = || format!("client {:?}, server {:?}", client.config, server.config);
            let Some((answer, agreed)) = server.config.answer(offer) else {
                assert_eq!(client.peer, 8, "{}", at());
                continue;
            };
            assert_eq!(client.config.confirm(&parse_one(&answer.to_string())), Some(agreed), "{}", at());
            assert!(agreed.server.window_bits <= server.own.min(client.peer), "{}", at());
            assert!(agreed.client.window_bits <= client.own, "{}", at());
            assert!(!agreed.server.context_takeover || client.peer_takeover && server.takeover, "{}", at());
            assert!(!agreed.client.context_takeover || server.peer_takeover && client.takeover, "{}", at());
        }
    }
}

#[test]
fn values_out_of_range_are_brought_into_it() {
    let low = DeflateConfig::default().window_bits(0).peer_window_bits(0);
    assert_eq!(low, DeflateConfig::default().window_bits(9).peer_window_bits(8));
    let high = DeflateConfig::default().window_bits(255).peer_window_bits(255).level(255).memory_level(255);
    assert_eq!(high, DeflateConfig::default().window_bits(15).peer_window_bits(15).level(9).memory_level(9));
    let low = DeflateConfig::default().level(0).memory_level(0);
    assert_eq!(low, DeflateConfig::default().level(1).memory_level(1));
}

/// Configurations with short names for the tables.
fn config(name: &str) -> DeflateConfig {
    let default = DeflateConfig::default();
    match name {
        "default" => default,
        "small" => DeflateConfig::small(),
        "own 10" => default.window_bits(10),
        "peer 8" => default.peer_window_bits(8),
        "peer 10" => default.peer_window_bits(10),
        "both 12" => default.window_bits(12).peer_window_bits(12),
        "peer forgets" => default.peer_context_takeover(false),
        "we forget" => default.context_takeover(false),
        name => panic!("{name}"),
    }
}

/// A server's configuration, an offer's parameters, and the answer's: `-` is a decline.
const ANSWERS: &[(&str, &str, &str)] = &[
    // §7.1.3: the simplest.
    ("default", "", ""),
    ("default", "client_max_window_bits", ""),
    ("default", "client_max_window_bits; server_max_window_bits=10", "server_max_window_bits=10"),
    ("default", "server_no_context_takeover", "server_no_context_takeover"),
    ("default", "client_no_context_takeover", "client_no_context_takeover"),
    (
        "default",
        "client_no_context_takeover; server_no_context_takeover",
        "server_no_context_takeover; client_no_context_takeover",
    ),
    ("default", "server_max_window_bits=15", "server_max_window_bits=15"),
    ("default", "server_max_window_bits=9", "server_max_window_bits=9"),
    ("default", "server_max_window_bits=8", "-"),
    ("default", "server_max_window_bits", "-"),
    ("default", "client_max_window_bits=15", ""),
    ("default", "client_max_window_bits=10", "client_max_window_bits=10"),
    ("default", "client_max_window_bits=8", "client_max_window_bits=8"),
    ("own 10", "", "server_max_window_bits=10"),
    ("own 10", "server_max_window_bits=12", "server_max_window_bits=10"),
    ("own 10", "server_max_window_bits=9", "server_max_window_bits=9"),
    ("own 10", "client_max_window_bits", "server_max_window_bits=10"),
    // Not offered, so it cannot be asked for.
    ("peer 10", "", "client_no_context_takeover"),
    ("peer 10", "server_max_window_bits=15", "client_no_context_takeover; server_max_window_bits=15"),
    ("peer 10", "client_max_window_bits", "client_max_window_bits=10"),
    ("peer 10", "client_max_window_bits=9", "client_max_window_bits=9"),
    ("peer 10", "client_max_window_bits=10", "client_max_window_bits=10"),
    ("peer 10", "client_max_window_bits=15", "client_max_window_bits=10"),
    // Only who says so can do with 8.
    ("peer 8", "client_max_window_bits", "client_no_context_takeover; client_max_window_bits=9"),
    ("peer 8", "client_max_window_bits=9", "client_no_context_takeover; client_max_window_bits=9"),
    ("peer 8", "client_max_window_bits=8", "client_max_window_bits=8"),
    ("small", "", "server_no_context_takeover; client_no_context_takeover"),
    ("small", "client_max_window_bits", "server_no_context_takeover; client_no_context_takeover"),
    ("peer forgets", "client_max_window_bits", "client_no_context_takeover"),
    ("we forget", "client_max_window_bits", "server_no_context_takeover"),
    ("both 12", "client_max_window_bits", "server_max_window_bits=12; client_max_window_bits=12"),
    // Browsers: Chrome and Firefox; Safari.
    (
        "both 12",
        "server_no_context_takeover; client_max_window_bits",
        "server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12",
    ),
    ("default", "server_max_window_bits=\"10\"", "server_max_window_bits=10"),
    ("default", "client_max_window_bits=\"1\\1\"", "client_max_window_bits=11"),
    ("default", " server_max_window_bits = 10 ", "server_max_window_bits=10"),
];

#[test]
fn the_table_of_answers() {
    for (name, offer, expected) in ANSWERS {
        let with_name = |parameters: &str| match parameters {
            "" => NAME.to_owned(),
            parameters => format!("{NAME}; {parameters}"),
        };
        let answer = serve(&config(name), &[&with_name(offer)]).map(|(answer, _)| answer);
        assert_eq!(answer, (*expected != "-").then(|| with_name(expected)), "{name}: {offer}");
    }
}

/// A client's configuration, an answer's parameters, and the agreement: client's window and takeover, server's.
type Confirmed = Option<((u8, bool), (u8, bool))>;

const CONFIRMED: &[(&str, &str, Confirmed)] = &[
    ("default", "", Some(((15, true), (15, true)))),
    ("default", "server_no_context_takeover", Some(((15, true), (15, false)))),
    ("default", "client_no_context_takeover", Some(((15, false), (15, true)))),
    ("default", "server_max_window_bits=8", Some(((15, true), (8, true)))),
    ("default", "server_max_window_bits=15", Some(((15, true), (15, true)))),
    ("default", "client_max_window_bits=9", Some(((9, true), (15, true)))),
    ("default", "client_max_window_bits=15", Some(((15, true), (15, true)))),
    ("default", "client_max_window_bits=\"9\"", Some(((9, true), (15, true)))),
    ("default", "client_max_window_bits=8", None),
    ("default", "client_max_window_bits", None),
    ("default", "server_max_window_bits", None),
    ("own 10", "", Some(((15, true), (15, true)))),
    ("own 10", "client_max_window_bits=10", Some(((10, true), (15, true)))),
    ("own 10", "client_max_window_bits=11", None),
    ("peer 10", "", None),
    ("peer 10", "server_max_window_bits=11", None),
    ("peer 10", "server_max_window_bits=10", Some(((15, true), (10, true)))),
    ("peer 10", "server_max_window_bits=9; client_max_window_bits=9", Some(((9, true), (9, true)))),
    ("peer 8", "server_max_window_bits=8", Some(((15, true), (8, true)))),
    // It would do, but is not what was asked for.
    ("peer 10", "server_no_context_takeover", None),
    ("peer forgets", "", None),
    ("peer forgets", "server_no_context_takeover", Some(((15, true), (15, false)))),
    // §7.1.1.2: our own forgetting is but a hint.
    ("we forget", "", Some(((15, true), (15, true)))),
    ("small", "server_no_context_takeover", Some(((15, true), (15, false)))),
    ("small", "client_no_context_takeover", None),
];

#[test]
fn the_table_of_confirmations() {
    for (name, answer, expected) in CONFIRMED {
        let line = [NAME, if answer.is_empty() { "" } else { ";" }, answer].concat();
        let agreed = config(name).confirm(&parse_one(&line));
        assert_eq!(agreed, expected.map(|(client, server)| agreement(client, server)), "{name}: {answer}");
    }
}

/// Lines of the grammar that are no good offer, and no good answer.
const INVALID: &[&str] = &[
    "permessage-deflate; x",
    "permessage-deflate; x=1",
    "permessage-deflate; max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10; x",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=11",
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=10; client_max_window_bits",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover=true",
    "permessage-deflate; client_no_context_takeover=\"0\"",
    "permessage-deflate; Server_No_Context_Takeover",
    "Permessage-Deflate",
    "permessage-deflate2",
    "x-webkit-deflate-frame",
    "permessage-bzip2",
];

const INVALID_BITS: &[&str] = &[
    "0",
    "1",
    "7",
    "16",
    "32",
    "99",
    "08",
    "09",
    "010",
    "0015",
    "100",
    "110",
    "-9",
    "+9",
    "9.0",
    "0x9",
    "1e1",
    "nine",
    "264",
    "265",
    "65546",
    "4294967306",
    "18446744073709551626",
];

#[test]
fn what_is_not_in_order_is_declined_and_not_confirmed() {
    let bits = INVALID_BITS.iter().flat_map(|bits| {
        ["server", "client"].into_iter().flat_map(move |side| {
            ["", "\""].map(|quote| format!("{NAME}; {side}_max_window_bits={quote}{bits}{quote}"))
        })
    });
    let configs = ["default", "small", "own 10", "peer 8", "both 12"].map(config);
    for line in bits.chain(INVALID.iter().map(|line| (*line).to_owned())) {
        let extension = parse_one(&line);
        for config in &configs {
            assert_eq!(config.answer(&extension), None, "{line}");
            assert_eq!(config.confirm(&extension), None, "{line}");
        }
        assert_eq!(Agreement::of_answer(&extension), None, "{line}");
    }
    // What no line can say, but a program.
    for value in ["", " 9", "9 ", "٩", "9\0"] {
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            let extension = ExtensionOffer::new(NAME).parameter(name, value);
            assert_eq!(DeflateConfig::default().answer(&extension), None, "{value:?}");
            assert_eq!(DeflateConfig::default().confirm(&extension), None, "{value:?}");
        }
    }
}

#[test]
fn the_first_good_offer_is_accepted() {
    // §7.1.3: the fallback of the RFC's own example.
    let fallback = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                    permessage-deflate; client_max_window_bits";
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[fallback], Some("permessage-deflate; server_max_window_bits=10")),
        (
            &["permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9"],
            Some("permessage-deflate; server_max_window_bits=9"),
        ),
        (&["permessage-deflate; server_max_window_bits=8", "permessage-deflate"], Some("permessage-deflate")),
        (
            &["x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover, permessage-deflate"],
            Some("permessage-deflate; server_no_context_takeover"),
        ),
        (&["permessage-deflate; x, permessage-deflate; server_max_window_bits=16", "", " , "], None),
        (
            &["permessage-deflate; x", "other; server_max_window_bits=9,", ",permessage-deflate"],
            Some("permessage-deflate"),
        ),
        (&["other, another; one=1"], None),
        (&[], None),
    ];
    for (lines, expected) in cases {
        let answer = serve(&DeflateConfig::default(), lines).map(|(answer, _)| answer);
        assert_eq!(answer.as_deref(), *expected, "{lines:?}");
    }
}
