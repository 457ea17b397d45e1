//! A bridge between WebSockets over HTTP/1.1 and over HTTP/2 (RFC 8441), which looks at no frame of theirs.
//!
//! `h2_bridge --to-h2 [--ca FILE | --insecure] --listen HOST:PORT [--until-stdin-ends] URL` takes clients by HTTP/1.1
//! and opens an extended CONNECT for each at the server of the URL: with `https` by TLS, with `http` a server of which it is
//! known that it speaks HTTP/2. They share a connection, as long as the server takes one more on it.
//!
//! `h2_bridge --to-http1 [--ca FILE | --insecure] --listen HOST:PORT [--tls [--ca-out FILE]] [--until-stdin-ends] URL` takes
//! clients by HTTP/2, with TLS or knowing beforehand, and for each extended CONNECT opens a connection by HTTP/1.1 to the
//! server of the URL, `ws` or `wss`.
//!
//! Path, host and all headers that are not about one connection pass, and so does what a server answers instead of
//! opening. END_STREAM is a FIN, and RST_STREAM a reset (RFC 8441 §5). Who reads slowly is sent to slowly: nothing is
//! held but what the windows and the sockets hold.

mod heads;
mod pool;
mod pump;
mod target;
mod to_h2;
mod to_http1;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use examples::{Error, certificate, report};
use sheave::tls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use pool::Pool;
use target::Target;

/// How long each side may take to open a WebSocket, and everything together to end once it has to.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    report(run().await)
}

async fn run() -> Result<(), Error> {
    use lexopt::prelude::{Long, Value, ValueExt as _};
    let (mut to_h2, mut listen, mut url, mut until_stdin_ends) = (None, None, None, false);
    let (mut tls, mut ca_out, mut client_tls) = (false, None, ClientConfig::builder());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("to-h2") if to_h2.is_none() => to_h2 = Some(true),
            Long("to-http1") if to_h2.is_none() => to_h2 = Some(false),
            Long("listen") => listen = Some(parser.value()?.string()?),
            Long("ca") => client_tls = client_tls.roots_pem_file(parser.value()?.string()?),
            Long("insecure") => client_tls = client_tls.danger_accept_invalid_certificates(),
            Long("tls") => tls = true,
            Long("ca-out") => ca_out = Some(parser.value()?.string()?),
            Long("until-stdin-ends") => until_stdin_ends = true,
            Value(value) if url.is_none() => url = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let to_h2 = to_h2.ok_or("either --to-h2 or --to-http1 is needed")?;
    let listen = listen.ok_or("--listen HOST:PORT is needed")?;
    let url = url.ok_or("a URL is needed")?;
    if to_h2 && tls {
        return Err("--tls is for --to-http1".into());
    }
    if ca_out.is_some() && !tls {
        return Err("--ca-out needs --tls".into());
    }
    let target = Target::new(&url, client_tls.alpn([if to_h2 { "h2" } else { "http/1.1" }]))?;
    let bridge = match to_h2 {
        true => Bridge::ToH2(Pool::new(target)),
        false if tls => {
            let tls = certificate(ca_out.as_deref())?.server_config_builder().alpn(["h2"]).build()?;
            Bridge::ToHttp1(target.into(), Some(tls))
        }
        false => Bridge::ToHttp1(target.into(), None),
    };
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}://{}", bridge.scheme(), listener.local_addr()?);
    serve(listener, Arc::new(bridge), examples::stop(until_stdin_ends)).await
}

/// What `work` comes to, unless it takes too long.
async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(LIMIT, work).await?
}

/// Which way it goes.
enum Bridge {
    ToH2(Pool),
    /// With what clients are taken by TLS, if they are.
    ToHttp1(Arc<Target>, Option<ServerConfig>),
}

impl Bridge {
    /// What its clients call it.
    fn scheme(&self) -> &'static str {
        match self {
            Self::ToH2(_) => "ws",
            Self::ToHttp1(_, None) => "http",
            Self::ToHttp1(_, Some(_)) => "https",
        }
    }

    /// A client's connection, from its beginning to its end.
    async fn connection(&self, tcp: TcpStream, stopped: watch::Receiver<()>) -> Result<(), Error> {
        tcp.set_nodelay(true)?;
        match self {
            Self::ToH2(pool) => to_h2::websocket(tcp, pool).await,
            Self::ToHttp1(target, None) => to_http1::connection(tcp, target, stopped).await,
            Self::ToHttp1(target, Some(tls)) => {
                let stream = within(async { Ok(tls.accept(tcp).await?) }).await?;
                to_http1::connection(stream, target, stopped).await
            }
        }
    }
}

async fn serve(
    listener: TcpListener,
    bridge: Arc<Bridge>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let tcp = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        let (bridge, stopped) = (Arc::clone(&bridge), stopped.clone());
        connections.spawn(async move {
            if let Err(error) = bridge.connection(tcp, stopped).await {
                eprintln!("a connection: {error}");
            }
        });
    }
    drop((listener, stopping));
    let end = async {
        while connections.join_next().await.is_some() {}
        if let Bridge::ToH2(pool) = &*bridge {
            pool.end().await;
        }
    };
    timeout(LIMIT, end).await.map_err(|_| "connections did not end in time".into())
}
