//! The page of the demo, and the WebSockets that it opens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Method, Response, StatusCode, Version};
use sheave::{Config, ConnectionId, DeflateConfig, Request, ServerBuilder};

use super::traffic::{Measure, Totals};

/// The subprotocol of `/echo`.
pub const SUBPROTOCOL: &str = "echo.v1";

const PAGE: &str = include_str!("../../demo/index.html");
const STYLE: &str = include_str!("../../demo/style.css");
const SCRIPT: &str = include_str!("../../demo/app.js");
/// How often a page is told what the server counts.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Serves the page and the WebSockets that it opens.
///
/// | path | what it is |
/// |---|---|
/// | `/` | the page, which is told by which version and connection it came |
/// | `/echo` | an echo |
/// | `/live?page=N` | says how it came, then echoes; with `deflate=0` uncompressed, with `measure=1` measured |
/// | `/stats?page=N` | tells the page twice a second what the server counts of its `/live` WebSockets |
#[derive(Debug, Default)]
pub struct Site {
    /// The pages that have a WebSocket, by their number.
    pages: Mutex<BTreeMap<u64, Weak<Page>>>,
    next_page: AtomicU64,
    /// Where the same page is served the other way, with TLS or without.
    other: String,
}

/// What the server counts of one page.
#[derive(Debug, Default)]
struct Page {
    /// The page's open WebSockets on each connection.
    connections: Mutex<BTreeMap<ConnectionId, usize>>,
    totals: Totals,
}

impl Site {
    /// A site whose page links to `other`, where it is served the other way.
    pub fn new(other: impl Into<String>) -> Self {
        Self { other: other.into(), ..Self::default() }
    }

    /// A server with what the page needs, for [`answer`](Self::answer).
    pub fn server(builder: ServerBuilder) -> ServerBuilder {
        builder.subprotocols([SUBPROTOCOL]).config(Config::default().deflate(DeflateConfig::default()))
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What the connection did.
    pub async fn answer(&self, request: Request) -> Result<(), sheave::Error> {
        let path = request.path().to_owned();
        match (path.as_str(), request.is_websocket()) {
            ("/echo", true) => echo(request).await,
            ("/live", true) => self.live(request).await,
            ("/stats", true) => self.stats(request).await,
            ("/", false) => {
                let page = self.page(&request);
                respond(request, "text/html; charset=utf-8", page).await
            }
            ("/style.css", false) => respond(request, "text/css; charset=utf-8", STYLE).await,
            ("/app.js", false) => respond(request, "text/javascript; charset=utf-8", SCRIPT).await,
            _ => request.reject(StatusCode::NOT_FOUND, "there is / and there is /echo\n").await,
        }
    }

    /// The page, with what only the server knows filled in.
    fn page(&self, request: &Request) -> String {
        PAGE.replace("{page}", &self.next_page.fetch_add(1, Ordering::Relaxed).to_string())
            .replace("{version}", version(request))
            .replace("{connection}", &request.connection_id().to_string())
            .replace("{encrypted}", if request.stream().is_encrypted() { "TLS" } else { "not encrypted" })
            .replace("{other}", &self.other)
    }

    async fn live(&self, request: Request) -> Result<(), sheave::Error> {
        let wish = |name| parameter(&request, name);
        let deflate = (wish("deflate") != Some("0")).then(DeflateConfig::default);
        let visit = self.visit(&request);
        let alone = Page::default();
        let page = visit.as_ref().map_or(&alone, |visit| &*visit.page);
        let measured = wish("measure") == Some("1");
        let (version, connection) = (version(&request), request.connection_id());

        let config = Config::default().deflate(deflate.clone());
        let mut ws = request.accepting().config(config).accept().await?;
        let _open = Open::count(page, connection);
        let extension = ws.extensions().first();
        let mut measure = measured.then(|| Measure::new(extension, &deflate.unwrap_or_default()));
        let hello = format!(
            r#"{{"version":"{version}","connection":{connection},"extensions":"{}"}}"#,
            extension.map(ToString::to_string).unwrap_or_default()
        );
        ws.send(hello).await?;
        while let Some(message) = ws.recv().await? {
            page.totals.message(message.len());
            if let Some(measure) = &mut measure {
                page.totals.compressed(message.len(), measure.on_the_wire(message.as_bytes()));
            }
            ws.feed(message).await?;
        }
        Ok(())
    }

    async fn stats(&self, request: Request) -> Result<(), sheave::Error> {
        let Some(visit) = self.visit(&request) else {
            return request.reject(StatusCode::BAD_REQUEST, "which page?\n").await;
        };
        let mut ws = request.accept().await?;
        let mut interval = tokio::time::interval(REPORT_INTERVAL);
        loop {
            tokio::select! {
                _ = interval.tick() => ws.send(visit.page.report()).await?,
                message = ws.recv() => if message?.is_none() { return Ok(()) },
            }
        }
    }

    /// The page that opened a WebSocket.
    fn visit(&self, request: &Request) -> Option<Visit<'_>> {
        let number = parameter(request, "page")?.parse().ok()?;
        let mut pages = self.pages();
        let page = pages.get(&number).and_then(Weak::upgrade).unwrap_or_default();
        pages.insert(number, Arc::downgrade(&page));
        Some(Visit { site: self, number, page })
    }

    fn pages(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<Page>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn report(&self) -> String {
        let (sockets, connections) = {
            let connections = self.connections();
            (connections.values().sum::<usize>(), connections.len())
        };
        format!(r#"{{"sockets":{sockets},"connections":{connections},{}}}"#, self.totals)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A WebSocket's hold on its page, which is forgotten with the last one.
struct Visit<'s> {
    site: &'s Site,
    number: u64,
    page: Arc<Page>,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        // Nobody else gets hold of it meanwhile.
        let mut pages = self.site.pages();
        if Arc::strong_count(&self.page) == 1 {
            pages.remove(&self.number);
        }
    }
}

/// An open WebSocket of a page; counted until dropped.
struct Open<'p> {
    page: &'p Page,
    connection: ConnectionId,
}

impl<'p> Open<'p> {
    fn count(page: &'p Page, connection: ConnectionId) -> Self {
        *page.connections().entry(connection).or_default() += 1;
        Self { page, connection }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut connections = self.page.connections();
        if let Some(sockets) = connections.get_mut(&self.connection) {
            *sockets -= 1;
            if *sockets == 0 {
                connections.remove(&self.connection);
            }
        }
    }
}

async fn echo(request: Request) -> Result<(), sheave::Error> {
    let mut ws = request.accept().await?;
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

/// Answers with a page or a part of one, which may load nothing from elsewhere.
///
/// # Errors
/// What the connection did.
pub async fn respond(
    request: Request,
    content_type: &str,
    body: impl Into<String>,
) -> Result<(), sheave::Error> {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return request.reject(StatusCode::METHOD_NOT_ALLOWED, "GET it\n").await;
    }
    let response = Response::builder()
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .header(CONTENT_SECURITY_POLICY, "default-src 'self'; connect-src 'self' ws: wss:; img-src data:")
        // Alone in its process, a page may measure time to 5 µs instead of 100.
        .header("cross-origin-opener-policy", "same-origin")
        .header("cross-origin-embedder-policy", "require-corp");
    request.respond(response.body(body.into()).map_err(sheave::Error::other)?).await
}

/// The HTTP version of a request, as one says it.
pub fn version(request: &Request) -> &'static str {
    match request.version() {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_11 => "HTTP/1.1",
        _ => "another HTTP",
    }
}

/// A parameter in the query of a request.
fn parameter<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let pairs = request.uri().query()?.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use sheave::{Client, CloseCode, Server, Versions, WebSocket};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    async fn text(ws: &mut WebSocket) -> String {
        let message = tokio::time::timeout(LIMIT, ws.recv()).await.expect("it hangs").unwrap();
        message.expect("it closed").as_text().unwrap().to_owned()
    }

    async fn told(stats: &mut WebSocket, count: &str) {
        while !text(stats).await.contains(count) {}
    }

    #[tokio::test]
    async fn a_page_is_told_of_its_own_sockets_and_forgotten() {
        for (versions, version, together) in
            [(Versions::Http1Only, "HTTP/1.1", 2), (Versions::Http2Only, "HTTP/2", 1)]
        {
            let server = Site::server(Server::bind("127.0.0.1:0")).build().await.unwrap();
            let origin = format!("ws://{}", server.local_addr().unwrap());
            let site = Arc::new(Site::default());
            let serving = Arc::clone(&site);
            let handler = move |request| {
                let site = Arc::clone(&serving);
                async move { site.answer(request).await }
            };
            let server = tokio::spawn(server.serve(handler).into_future());

            let client = Client::builder().versions(versions).build();
            let connect = |path: &str| client.connect(format!("{origin}{path}"));
            let mut sockets = Vec::new();
            // The second page's are its own affair.
            for path in ["/live?page=1", "/live?page=1", "/live?page=2"] {
                let mut ws = connect(path).await.unwrap();
                assert!(text(&mut ws).await.contains(&format!("\"version\":\"{version}\"")));
                sockets.push(ws);
            }
            let mut stats = connect("/stats?page=1").await.unwrap();
            told(&mut stats, &format!("\"sockets\":2,\"connections\":{together},\"messages\":0")).await;
            sockets[0].send("counted").await.unwrap();
            assert_eq!(text(&mut sockets[0]).await, "counted");
            told(&mut stats, "\"messages\":1,\"bytes\":7,\"measured\":0,\"wire\":0").await;
            for ws in &mut sockets {
                ws.close(CloseCode::NORMAL).await.unwrap();
            }
            told(&mut stats, "\"sockets\":0,\"connections\":0").await;
            stats.close(CloseCode::NORMAL).await.unwrap();
            let forgotten = async {
                while !site.pages().is_empty() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(LIMIT, forgotten).await.expect("a page is kept");
            server.abort();
        }
    }
}
