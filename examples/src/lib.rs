//! What the examples have in common.

pub mod demo;

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use sheave::tls::DevCertificate;
use sheave::{
    CloseCode, CloseFrame, Config, DeflateConfig, Message, NoMasking, Server, ServerBuilder, Versions,
    WebSocket,
};

/// What may go wrong in an example.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs an example to its end and says what went wrong.
pub fn report(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a client that reads standard input to its end and says what went wrong. It does not wait for a line that may never come.
pub fn at_the_keyboard(run: impl Future<Output = Result<(), Error>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(Err(error.into())),
    };
    let result = runtime.block_on(run);
    // A read of standard input cannot be taken back.
    runtime.shutdown_background();
    report(result)
}

/// permessage-deflate as the command line names it: `default`, `small`, or changes to the default one, separated by
/// commas: `level=N`, `memory-level=N`, `window-bits=N`, `peer-window-bits=N`, `no-takeover`, `no-peer-takeover`,
/// `threshold=N`.
///
/// # Errors
/// If it is something else.
pub fn deflate(setting: &str) -> Result<DeflateConfig, Error> {
    setting.split(',').try_fold(DeflateConfig::default(), |config, change| {
        let (name, value) = change.split_once('=').unwrap_or((change, ""));
        Ok(match name {
            "default" => config,
            "small" => DeflateConfig::small(),
            "level" => config.level(value.parse()?),
            "memory-level" => config.memory_level(value.parse()?),
            "window-bits" => config.window_bits(value.parse()?),
            "peer-window-bits" => config.peer_window_bits(value.parse()?),
            "no-takeover" => config.context_takeover(false),
            "no-peer-takeover" => config.peer_context_takeover(false),
            "threshold" => config.threshold(value.parse()?),
            _ => return Err(format!("no setting of permessage-deflate: {change:?}").into()),
        })
    })
}

/// What the clients take, `[--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] URL`:
/// the URL, and a builder that does accordingly. `--http2` is HTTP/2 alone for `wss`, and `--h2c` for `ws`. What a
/// setting is, is told at [`deflate`]; `--no-masking` offers that on any transport.
///
/// # Errors
/// If the arguments are others, or the file is not there or holds no certificate.
pub fn client_options() -> Result<(String, sheave::ClientBuilder), Error> {
    match client_options_and_names()? {
        (url, client, names) if names.is_empty() => Ok((url, client)),
        (.., names) => Err(format!("unexpected argument {:?}", names[0]).into()),
    }
}

/// The same, and what names follow upon the URL.
///
/// # Errors
/// As there, names aside.
pub fn client_options_and_names() -> Result<(String, sheave::ClientBuilder, Vec<String>), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    const OPTIONS: &str =
        "[--ca FILE | --insecure] [--http1 | --http2 | --h2c] [--deflate SETTING] [--no-masking] URL";
    let (mut url, mut ca, mut insecure, mut config) = (None, None, false, Config::default());
    let mut names = Vec::new();
    // The version, and the scheme that it is for.
    let (mut versions, mut scheme) = (Versions::Auto, "");
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca") => ca = Some(parser.value()?.string()?),
            Long("insecure") => insecure = true,
            Long("http1") => (versions, scheme) = (Versions::Http1Only, ""),
            Long("http2") => (versions, scheme) = (Versions::Http2Only, "wss:"),
            Long("h2c") => (versions, scheme) = (Versions::Http2Only, "ws:"),
            Long("deflate") => config.deflate = Some(deflate(&parser.value()?.string()?)?),
            Long("no-masking") => config.no_masking = NoMasking::Always,
            Value(value) if url.is_none() => url = Some(value.string()?),
            Value(value) => names.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let tls = sheave::tls::ClientConfig::builder();
    let client = sheave::Client::builder().config(config).versions(versions);
    let client = match ca {
        Some(_) if insecure => return Err("--ca and --insecure contradict each other".into()),
        Some(file) => client.tls(tls.roots_pem_file(file).build()?),
        None if insecure => client.tls(tls.danger_accept_invalid_certificates().build()?),
        None => client,
    };
    let url = url.ok_or_else(|| format!("a URL is needed: {OPTIONS}"))?;
    if !url.starts_with(scheme) {
        return Err("--http2 is for wss, and --h2c for ws".into());
    }
    Ok((url, client, names))
}

/// What the servers take: `[--addr HOST:PORT] [--tls [--ca-out FILE]] [--http1 | --http2 | --h2c] [--deflate SETTING]
/// [--no-masking] [--threads N] [--until-stdin-ends]`.
///
/// `--http1` serves HTTP/1.1 alone, `--http2` HTTP/2 alone over TLS, `--h2c` HTTP/2 alone without TLS; else both are served.
/// `--deflate` accepts permessage-deflate, see [`deflate`]; `--no-masking` accepts that on any transport.
/// `--tls` uses a certificate made for the occasion; `--ca-out` writes the certificate of its authority to a file. With
/// `--threads 1` everything runs on one thread. A server ends in order at Ctrl-C, and with `--until-stdin-ends` also
/// when its standard input does, so that it never outlives the program that started it.
#[derive(Debug)]
pub struct ServerOptions {
    /// Where to listen.
    pub addr: String,
    /// What was said of extensions.
    pub config: Config,
    /// Which versions of HTTP are served.
    pub versions: Versions,
    tls: bool,
    ca_out: Option<String>,
    threads: usize,
    until_stdin_ends: bool,
}

/// Runs a server to its end, with the options of the command line, and says what went wrong. `addr` is where it listens
/// unless they name another address.
pub fn serve(addr: &str, run: impl AsyncFnOnce(ServerOptions) -> Result<(), Error>) -> ExitCode {
    report(ServerOptions::parse(addr).and_then(|options| {
        let mut runtime = match options.threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        if options.threads > 1 {
            runtime.worker_threads(options.threads);
        }
        runtime.enable_all().build()?.block_on(run(options))
    }))
}

impl ServerOptions {
    fn parse(addr: &str) -> Result<Self, Error> {
        use lexopt::prelude::{Long, ValueExt as _};
        let mut options = Self {
            addr: addr.to_owned(),
            config: Config::default(),
            versions: Versions::Auto,
            tls: false,
            ca_out: None,
            threads: 0,
            until_stdin_ends: false,
        };
        let mut needs_tls = None;
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("http1") => options.versions = Versions::Http1Only,
                Long("http2") => (options.versions, needs_tls) = (Versions::Http2Only, Some(true)),
                Long("h2c") => (options.versions, needs_tls) = (Versions::Http2Only, Some(false)),
                Long("addr") => options.addr = parser.value()?.string()?,
                Long("tls") => options.tls = true,
                Long("ca-out") => options.ca_out = Some(parser.value()?.string()?),
                Long("deflate") => options.config.deflate = Some(deflate(&parser.value()?.string()?)?),
                Long("no-masking") => options.config.no_masking = NoMasking::Always,
                Long("threads") => options.threads = parser.value()?.parse()?,
                Long("until-stdin-ends") => options.until_stdin_ends = true,
                other => return Err(other.unexpected().into()),
            }
        }
        if needs_tls.is_some_and(|needs| needs != options.tls) {
            return Err("--http2 needs --tls, and --h2c is without".into());
        }
        if options.ca_out.is_some() && !options.tls {
            return Err("--ca-out needs --tls".into());
        }
        Ok(options)
    }

    /// Builds the server, over TLS if that is wanted, and prints `listening on` and its URL.
    ///
    /// # Errors
    /// If it cannot listen, or the certificate cannot be written.
    pub async fn listen(&self, builder: ServerBuilder) -> Result<Server, Error> {
        let mut builder = builder.versions(self.versions);
        if let Some(certificate) = self.certificate()? {
            builder = builder.tls(certificate.server_config_builder().build()?);
        }
        let server = builder.build().await?;
        let address = server.local_addr().ok_or("not a TCP server")?;
        println!("listening on {}://{address}", if self.tls { "wss" } else { "ws" });
        Ok(server)
    }

    /// A certificate for the occasion, if TLS is wanted.
    ///
    /// # Errors
    /// If the certificate of its authority cannot be written.
    pub fn certificate(&self) -> Result<Option<DevCertificate>, Error> {
        self.tls.then(|| certificate(self.ca_out.as_deref())).transpose()
    }

    /// Returns when the server shall end: see [`stop`].
    pub async fn stop(self) {
        stop(self.until_stdin_ends).await;
    }
}

/// A certificate for the occasion, whose authority's is written to the file `ca_out`.
///
/// # Errors
/// If that cannot be written.
pub fn certificate(ca_out: Option<&str>) -> Result<DevCertificate, Error> {
    let certificate = DevCertificate::generate(&["localhost", "127.0.0.1", "::1"])?;
    if let Some(file) = ca_out {
        std::fs::write(file, certificate.ca_pem())?;
    }
    Ok(certificate)
}

/// Returns when a server shall end: at Ctrl-C, and with `until_stdin_ends` also at the end of its standard input, which
/// comes in any case when the process that holds the other end does.
pub async fn stop(until_stdin_ends: bool) {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own, because the runtime would wait for one of its own to come back from the read.
    let watch = until_stdin_ends.then(|| {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            drop(ended);
        })
    });
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = end, if watch.is_some() => {}
    }
}

/// Receives until the Ping that was sent is answered, and returns how long that took.
///
/// # Errors
/// If a message comes instead, or the end.
pub async fn answered(ws: &mut WebSocket) -> Result<Duration, Error> {
    loop {
        if let Some(rtt) = ws.rtt() {
            return Ok(rtt);
        }
        if let Ok(other) = tokio::time::timeout(Duration::from_millis(5), ws.recv()).await {
            return Err(format!("{} instead of a Pong", show(other?.as_ref())).into());
        }
    }
}

/// The start of a message.
pub fn show(message: Option<&Message>) -> String {
    let Some(message) = message else { return "the end".to_owned() };
    let start = &message.as_bytes()[..message.len().min(40)];
    format!("{} bytes {:?}", message.len(), String::from_utf8_lossy(start))
}

/// What a client of the interop checks reports: a line for each, as `xtask/interop/README.md` tells.
#[derive(Debug, Default)]
pub struct Checks {
    failed: Cell<bool>,
    names: Vec<String>,
}

impl Checks {
    /// Of all checks those of these names; all if there are none.
    pub fn named(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Whether a check is asked for by its name.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|named| named == name)
    }

    /// Makes a check, in 20 seconds at most, and prints what came of it; nothing if others are asked for.
    pub async fn check(&self, name: &str, result: impl Future<Output = Result<(), Error>>) {
        const LIMIT: Duration = Duration::from_secs(20);
        if !self.names.is_empty() && !self.names(name) {
            return;
        }
        match tokio::time::timeout(LIMIT, result).await.unwrap_or_else(|_| Err("took too long".into())) {
            Ok(()) => println!("ok {name}"),
            Err(why) => {
                self.failed.set(true);
                println!("FAIL {name} {why}");
            }
        }
    }

    /// What came of all of them.
    ///
    /// # Errors
    /// If one has failed.
    pub fn finish(&self) -> Result<(), Error> {
        if self.failed.get() { Err("some checks failed".into()) } else { Ok(()) }
    }
}

/// Content of the interop checks: byte i is (7 i + 3) mod 256.
pub fn octets(size: usize) -> Bytes {
    (0..size).map(|i| (7 * i + 3) as u8).collect()
}

/// Text of the interop checks: letter i is `a` + i mod 26.
pub fn letters(size: usize) -> String {
    ('a'..='z').cycle().take(size).collect()
}

/// Holds a message against the one that was expected.
///
/// # Errors
/// If it is another.
pub fn same(received: Option<Message>, expected: Message) -> Result<(), Error> {
    if received.as_ref() == Some(&expected) {
        return Ok(());
    }
    Err(format!("{} instead of {}", show(received.as_ref()), show(Some(&expected))).into())
}

/// The Close that the words of a check's name or path stand for: nothing (or `none`), a code, a code and a
/// reason.
///
/// # Errors
/// If it is no code that may be sent.
pub fn close_frame(words: &[&str]) -> Result<CloseFrame, Error> {
    let (code, reason) = match *words {
        [] | ["none"] => return Ok(CloseCode::NO_STATUS.into()),
        [code] => (code, ""),
        [code, reason, ..] => (code, reason),
    };
    let code = CloseCode::new(code.parse()?).ok_or("a code that may not be sent")?;
    Ok(CloseFrame::new(code, reason)?)
}
