//! What a user would try first, in every way that leads to a WebSocket, and whether it comes out as it should.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::{StatusCode, Version};
use sheave::{Client, CloseCode, CloseFrame, Message, WebSocket};

use super::SUBPROTOCOL;
use crate::{Error, answered, letters, octets, same};

/// A way to a WebSocket, from one end to the other.
#[derive(Debug)]
pub struct Way {
    /// What heads its column.
    pub name: &'static str,
    /// A client that goes this way.
    pub client: Client,
    /// Where the [`Site`](super::Site) is, up to its path.
    pub origin: String,
    /// The version that the server has to see.
    pub version: Version,
}

/// How one check in one way came out.
type Verdict = Result<Duration, Error>;

/// What is checked, in the order of the table.
const CHECKS: [&str; 9] = [
    "opens, with a subprotocol",
    "text comes back",
    "0 bytes to 1 MiB come back",
    "10 000 messages come back",
    "permessage-deflate",
    "a Ping is answered",
    "closes with code and reason",
    "elsewhere is 404",
    "100 sockets at once",
];
/// No check takes more than a few seconds.
const LIMIT: Duration = Duration::from_secs(60);
const SOCKETS: usize = 100;

/// Makes all checks in all ways, and prints them as a table.
///
/// # Errors
/// If one has failed.
pub async fn check(ways: &[Way]) -> Result<(), Error> {
    let mut columns = Vec::new();
    for way in ways {
        columns.push(way.column().await);
    }
    let failures: Vec<String> = ways
        .iter()
        .zip(&columns)
        .flat_map(|(way, column)| {
            let failed =
                CHECKS.iter().zip(column).filter_map(|(what, verdict)| Some((what, verdict.as_ref().err()?)));
            failed.map(|(what, why)| format!("{}: {what}: {why}", way.name))
        })
        .collect();
    let names: Vec<_> = ways.iter().map(|way| way.name).collect();
    print!("{}", table(&names, &columns));
    if failures.is_empty() {
        println!("  {} of {} ok", CHECKS.len() * ways.len(), CHECKS.len() * ways.len());
        return Ok(());
    }
    Err(format!("{} checks failed\n  {}", failures.len(), failures.join("\n  ")).into())
}

/// A column for each way, a line for each check.
fn table(ways: &[&str], columns: &[Vec<Verdict>]) -> String {
    const CELL: usize = 17;
    let first = CHECKS.iter().map(|what| what.len()).max().unwrap_or(0);
    let mut lines = vec![format!("  {:first$}", "")];
    lines[0].extend(ways.iter().map(|way| format!("  {way:<CELL$}")));
    for (row, what) in CHECKS.iter().enumerate() {
        let cells = columns.iter().map(|column| {
            let cell = match &column[row] {
                Ok(time) => format!("ok {:>10.2} ms", time.as_secs_f64() * 1000.0),
                Err(_) => "FAILED".to_owned(),
            };
            format!("  {cell:<CELL$}")
        });
        lines.push(format!("  {what:first$}{}", cells.collect::<String>()));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

impl Way {
    async fn column(&self) -> Vec<Verdict> {
        vec![
            timed(self.opens()).await,
            timed(self.text()).await,
            timed(self.sizes()).await,
            timed(self.many()).await,
            timed(self.deflate()).await,
            self.ping().await,
            timed(self.closes()).await,
            timed(self.elsewhere()).await,
            timed(self.sockets()).await,
        ]
    }

    async fn echo(&self) -> Result<WebSocket, Error> {
        Ok(self.client.request(format!("{}/echo", self.origin)).subprotocol(SUBPROTOCOL).connect().await?)
    }

    /// A WebSocket of a page, and the connection that the server says it came by.
    async fn live(&self) -> Result<(WebSocket, String), Error> {
        let mut ws = self.client.connect(format!("{}/live", self.origin)).await?;
        let hello = ws.recv().await?.ok_or("the server closed")?;
        let hello = hello.as_text().ok_or("not text")?;
        let version = if self.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        expect(hello.contains(&format!("\"version\":\"{version}\"")), "another version at the server")?;
        let connection = hello.split("\"connection\":").nth(1).and_then(|rest| rest.split(',').next());
        let connection = connection.ok_or("the server does not tell the connection")?.to_owned();
        Ok((ws, connection))
    }

    async fn opens(&self) -> Result<(), Error> {
        let mut ws = self.echo().await?;
        expect(ws.version() == self.version, "another version")?;
        expect(ws.subprotocol() == Some(SUBPROTOCOL), "no subprotocol was agreed on")?;
        done(&mut ws).await
    }

    async fn text(&self) -> Result<(), Error> {
        let mut ws = self.echo().await?;
        for message in ["hello", "κόσμε 😀"] {
            ws.send(message).await?;
            same(ws.recv().await?, message.into())?;
        }
        done(&mut ws).await
    }

    async fn sizes(&self) -> Result<(), Error> {
        let mut ws = self.echo().await?;
        for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            for message in [Message::from(letters(size)), Message::from(octets(size))] {
                ws.send(message.clone()).await?;
                same(ws.recv().await?, message)?;
            }
        }
        done(&mut ws).await
    }

    async fn many(&self) -> Result<(), Error> {
        const MANY: usize = 10_000;
        /// Some are under way at any time.
        const AHEAD: usize = 64;
        let mut ws = self.echo().await?;
        for number in 0..MANY + AHEAD {
            if number < MANY {
                ws.feed(format!("message {number}")).await?;
            }
            if let Some(number) = number.checked_sub(AHEAD) {
                same(ws.recv().await?, format!("message {number}").into())?;
            }
        }
        done(&mut ws).await
    }

    async fn deflate(&self) -> Result<(), Error> {
        let mut ws = self.echo().await?;
        let agreed = ws.extensions().first().map(|extension| extension.name().to_owned());
        expect(agreed.as_deref() == Some(sheave::deflate::NAME), "it was not agreed on")?;
        for size in [100, 10_000, 1 << 20] {
            // The second time it refers to the first.
            for message in [letters(size), letters(size)] {
                ws.send(&message[..]).await?;
                same(ws.recv().await?, message.into())?;
            }
        }
        done(&mut ws).await
    }

    async fn ping(&self) -> Verdict {
        let limited = tokio::time::timeout(LIMIT, async {
            let mut ws = self.echo().await?;
            ws.ping("are you there?").await?;
            let rtt = answered(&mut ws).await?;
            done(&mut ws).await?;
            Ok(rtt)
        });
        limited.await.unwrap_or_else(|_| Err(late()))
    }

    async fn closes(&self) -> Result<(), Error> {
        let code = CloseCode::new(4999).ok_or("a code that may not be sent")?;
        for close in [CloseFrame::new(CloseCode::NORMAL, "")?, CloseFrame::new(code, "with a reason")?] {
            let mut ws = self.echo().await?;
            ws.close(close.clone()).await?;
            let answer = ws.peer_close().map(CloseFrame::code);
            expect(answer == Some(close.code()), "the Close was not answered with its code")?;
        }
        Ok(())
    }

    async fn elsewhere(&self) -> Result<(), Error> {
        let error = self.client.connect(format!("{}/nowhere", self.origin)).await.err();
        let error = error.ok_or("there should be nothing")?;
        let rejection = error.rejection().ok_or_else(|| format!("not a rejection: {error}"))?;
        expect(rejection.status() == StatusCode::NOT_FOUND, "another status than 404")
    }

    async fn sockets(&self) -> Result<(), Error> {
        let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS {
            let (ws, connection) = self.live().await?;
            ours.insert(ws.connection_id());
            theirs.insert(connection);
            sockets.push(ws);
        }
        for (number, ws) in sockets.iter_mut().enumerate() {
            ws.send(format!("socket {number}")).await?;
        }
        for (number, ws) in sockets.iter_mut().enumerate() {
            same(ws.recv().await?, format!("socket {number}").into())?;
        }
        let expected = if self.version == Version::HTTP_2 { 1 } else { SOCKETS };
        for connections in [ours.len(), theirs.len()] {
            expect(connections == expected, &format!("{connections} connections, not {expected}"))?;
        }
        for ws in &mut sockets {
            done(ws).await?;
        }
        Ok(())
    }
}

/// Closes a WebSocket that has served its purpose, in order.
async fn done(ws: &mut WebSocket) -> Result<(), Error> {
    ws.close(CloseCode::NORMAL).await?;
    let answer = ws.peer_close().map(CloseFrame::code);
    expect(answer == Some(CloseCode::NORMAL), "the Close was not answered with its code")
}

async fn timed(check: impl Future<Output = Result<(), Error>>) -> Verdict {
    let started = Instant::now();
    tokio::time::timeout(LIMIT, check).await.unwrap_or_else(|_| Err(late()))?;
    Ok(started.elapsed())
}

fn late() -> Error {
    format!("not done within {} s", LIMIT.as_secs()).into()
}

fn expect(good: bool, otherwise: &str) -> Result<(), Error> {
    if good { Ok(()) } else { Err(otherwise.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_column_for_each_way_and_tells_what_failed() {
        let column = |fails: usize| -> Vec<Verdict> {
            let verdict = |row| if row == fails { Err(late()) } else { Ok(Duration::from_micros(1234)) };
            (0..CHECKS.len()).map(verdict).collect()
        };
        let table = table(&["one", "two"], &[column(0), column(usize::MAX)]);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines.len(), 1 + CHECKS.len());
        assert_eq!(lines[0], ["one", "two"]);
        assert!(lines[1].ends_with(&["FAILED", "ok", "1.23", "ms"]), "{table}");
        assert!(lines[2].ends_with(&["ok", "1.23", "ms", "ok", "1.23", "ms"]), "{table}");
    }

    #[tokio::test]
    async fn what_is_not_as_expected_fails() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let way = Way {
            name: "nowhere",
            client: Client::default(),
            origin: format!("ws://{nobody}"),
            version: Version::HTTP_11,
        };
        let error = check(&[way]).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} checks failed", CHECKS.len())), "{error}");
        assert!(error.contains("nowhere: a Ping is answered: "), "{error}");
    }
}
