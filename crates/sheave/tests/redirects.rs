//! Redirects: reported, or followed with care (RFC 9110 §15.4).

mod support;

use http::{Response, StatusCode};
use sheave::{Client, Error, Request, WebSocket};
use support::{Running, soon, start};

/// What the redirect leads to is said by the query; without one, the WebSocket is opened and told what
/// credentials came with its request.
async fn redirect(request: Request) -> Result<(), Error> {
    let Some(location) = request.uri().query().map(str::to_owned) else {
        let names = ["authorization", "cookie", "x-other"];
        let told = names.map(|name| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()));
        let told = format!("{} {}", request.uri().path(), told.join(" "));
        let mut ws = request.accept().await?;
        ws.send(told).await?;
        return Ok(());
    };
    let response = Response::builder().status(302).header("location", location);
    request.respond(response.body("elsewhere").unwrap()).await
}

async fn server() -> Running {
    start(|builder| builder, redirect).await
}

async fn told(mut ws: WebSocket) -> String {
    soon(ws.recv()).await.unwrap().unwrap().as_text().unwrap().to_owned()
}

async fn ask(client: &Client, url: String) -> Result<WebSocket, Error> {
    let request =
        client.request(url).header("authorization", "me").header("cookie", "a=b").header("x-other", "x");
    soon(request.connect()).await
}

fn following(redirects: usize) -> Client {
    Client::builder().max_redirects(redirects).build()
}

#[tokio::test]
async fn reported_by_default() {
    let server = server().await;
    let error = ask(&Client::default(), server.url("/a?/b")).await.unwrap_err();
    let rejection = error.rejection().unwrap();
    assert_eq!((rejection.status(), rejection.location()), (StatusCode::FOUND, Some("/b")));
    assert_eq!(&rejection.body()[..], b"elsewhere");
    server.stop().await;
}

#[tokio::test]
async fn relative_and_absolute() {
    let server = server().await;
    let absolute = server.url("/x");
    let http = absolute.replace("ws://", "http://");
    for (location, path) in
        [("/x", "/x"), ("x", "/a/x"), ("../x", "/x"), ("//{}/x", "/x"), (&absolute, "/x"), (&http, "/x")]
    {
        let location = location.replace("{}", &server.address.to_string());
        let ws = ask(&following(1), server.url(&format!("/a/b?{location}"))).await.unwrap();
        // The same origin: it may know.
        assert_eq!(told(ws).await, format!("{path} me a=b x"), "{location}");
    }
    server.stop().await;
}

/// RFC 9110 §15.4: credentials go to the origin that they were meant for, and come back nowhere.
#[tokio::test]
async fn credentials() {
    let (first, second) = (server().await, server().await);
    let ws = ask(&following(2), first.url(&format!("/a?{}", second.url("/b")))).await.unwrap();
    assert_eq!(told(ws).await, "/b - - x");
    // There and back: what is gone is gone.
    let back = second.url(&format!("/b?{}", first.url("/c")));
    let ws = ask(&following(2), first.url(&format!("/a?{back}"))).await.unwrap();
    assert_eq!(told(ws).await, "/c - - x");
    // As are those that were in the URL.
    let url = format!("ws://user:password@{}/a?{}", first.address, second.url("/b"));
    assert_eq!(told(soon(following(1).connect(url)).await.unwrap()).await, "/b - - -");
    // The same host by another name is another.
    let localhost = format!("ws://localhost:{}/b", first.address.port());
    let ws = ask(&following(1), first.url(&format!("/a?{localhost}"))).await.unwrap();
    assert_eq!(told(ws).await, "/b - - x");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn credentials_for_a_proxy() {
    let tell = |request: Request| async move {
        let known = request.headers().contains_key("proxy-authorization");
        let mut ws = request.accept().await?;
        Ok(ws.send(known.to_string()).await?)
    };
    let (first, second) = (server().await, start(|builder| builder, tell).await);
    for (url, known) in [(second.url("/"), "true"), (first.url(&format!("/?{}", second.url("/"))), "false")] {
        let client = following(1);
        let request = client.request(url).header("proxy-authorization", "me");
        assert_eq!(told(soon(request.connect()).await.unwrap()).await, known);
    }
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn loops_are_bounded() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let response = Response::builder().status(307).header("location", "/again").body("").unwrap();
            request.respond(response).await
        },
    )
    .await;
    let error = ask(&following(5), server.url("/")).await.unwrap_err();
    assert!(matches!(&error, Error::WebSocket(_)), "{error:?}");
    assert_eq!(error.rejection().unwrap().status(), StatusCode::TEMPORARY_REDIRECT);
    server.stop().await;
}

#[tokio::test]
async fn places_not_to_go() {
    let plain = server().await;
    for location in ["ftp://example.org/", "mailto:someone", "ws://", "http://[", "javascript:alert(1)"] {
        let error = ask(&following(5), plain.url(&format!("/?{location}"))).await;
        assert!(matches!(&error, Err(Error::Redirect(_))), "{location}: {error:?}");
    }
    plain.stop().await;
}

/// What was sent over TLS is not sent in plain text; the other way is fine, without the credentials.
#[tokio::test]
async fn between_tls_and_plain_text() {
    let dev = sheave::tls::DevCertificate::generate(&["127.0.0.1"]).unwrap();
    let tls = dev.server_config_builder().build().unwrap();
    let client_tls = dev.client_config_builder().build().unwrap();
    let client = Client::builder().tls(client_tls).max_redirects(3).build();
    let (plain, secure) = (server().await, start(|builder| builder.tls(tls), redirect).await);
    let down = format!("wss://{}/?{}", secure.address, plain.url("/b"));
    let error = ask(&client, down).await.unwrap_err();
    assert!(matches!(&error, Error::Redirect(_)), "{error:?}");
    assert_eq!(error.rejection().unwrap().status(), StatusCode::FOUND);
    let up = plain.url(&format!("/?wss://{}/b", secure.address));
    assert_eq!(told(ask(&client, up).await.unwrap()).await, "/b - - x");
    let relative = format!("wss://{}/?//{}/b", secure.address, secure.address);
    assert_eq!(told(ask(&client, relative).await.unwrap()).await, "/b me a=b x");
    plain.stop().await;
    secure.stop().await;
}

/// Over a Unix socket it goes on there, unless it leads to another host.
#[cfg(unix)]
#[tokio::test]
async fn over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("sheave-redirect-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let unix = sheave::Server::bind_unix(&path).build().await.unwrap();
    let (stop, task) = support::spawn(unix, redirect);
    let other = server().await;
    for (location, expected) in [("/b".to_owned(), "/b me - -"), (other.url("/c"), "/c - - -")] {
        let client = following(1);
        let request = client.request(format!("ws://example.org/a?{location}")).header("authorization", "me");
        let ws = soon(request.unix_socket(&path).connect()).await.unwrap();
        assert_eq!(told(ws).await, expected);
    }
    drop(stop);
    soon(task).await.unwrap().unwrap();
    other.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
