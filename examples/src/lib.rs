//! What the examples have in common.

use std::process::ExitCode;

use sheave::{CloseCode, CloseFrame};

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

/// What the clients take, `[--ca FILE | --insecure] URL`: the URL, and a builder that trusts accordingly.
///
/// # Errors
/// If the arguments are others, or the file is not there or holds no certificate.
pub fn client_options() -> Result<(String, sheave::ClientBuilder), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut url, mut ca, mut insecure) = (None, None, false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("ca") => ca = Some(parser.value()?.string()?),
            Long("insecure") => insecure = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let tls = sheave::tls::ClientConfig::builder();
    let client = sheave::Client::builder();
    let client = match ca {
        Some(_) if insecure => return Err("--ca and --insecure contradict each other".into()),
        Some(file) => client.tls(tls.roots_pem_file(file).build()?),
        None if insecure => client.tls(tls.danger_accept_invalid_certificates().build()?),
        None => client,
    };
    Ok((url.ok_or("a URL is needed: [--ca FILE | --insecure] URL")?, client))
}

/// When a server shall end: at Ctrl-C, and with `until_stdin_ends` also at the end of its standard input, which comes
/// in any case when the process that holds the other end does.
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
