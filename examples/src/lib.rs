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

/// A client's TLS configuration from `--ca FILE` and `--insecure`; `None` for the platform's roots.
///
/// # Errors
/// If the file is not there or holds no certificate.
pub fn client_tls(ca: Option<&str>, insecure: bool) -> Result<Option<sheave::tls::ClientConfig>, Error> {
    let builder = sheave::tls::ClientConfig::builder();
    Ok(match ca {
        _ if insecure => Some(builder.danger_accept_invalid_certificates().build()?),
        Some(file) => Some(builder.roots_pem_file(file).build()?),
        None => None,
    })
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
