//! What a handler sees of a request that came over HTTP/2, as it would over HTTP/1.1.

mod support;

use std::sync::{Arc, Mutex};

use http::{Method, Response, Version};
use sheave::tls::{self, DevCertificate};
use sheave::{ConnectionId, DeflateConfig, Error, OriginPolicy, Request, ws};
use support::frames::{CONNECT, Frames, GET, Seen, unmasked};
use support::http2::{Http2, request};
use support::raw::TEXT;
use support::{echo, mirror, soon, start};
use tokio::net::TcpStream;

/// A server whose handler notes what `look` sees, and then answers.
async fn seen_by<T: Send + 'static>(
    look: impl Fn(&Request) -> T + Clone + Send + Sync + 'static,
) -> (support::Running, tokio::sync::mpsc::UnboundedReceiver<T>) {
    let (sender, seen) = tokio::sync::mpsc::unbounded_channel();
    let server = start(
        |builder| builder.origin(OriginPolicy::Any).subprotocols(["soap", "chat"]),
        move |request: Request| {
            let (sender, look) = (sender.clone(), look.clone());
            async move {
                sender.send(look(&request)).unwrap_or_else(|_| panic!("nobody looks"));
                match request.is_websocket() {
                    true => echo(request).await,
                    false => request.respond(Response::new("")).await,
                }
            }
        },
    )
    .await;
    (server, seen)
}

#[tokio::test]
async fn the_head_of_a_websocket() {
    let (server, mut seen) = seen_by(|request| {
        assert_eq!((request.version(), request.method()), (Version::HTTP_2, &Method::CONNECT));
        assert!(request.is_websocket());
        assert_eq!(request.authority(), Some("example.org:8443"));
        assert_eq!((request.path(), request.uri().query()), ("/chat", Some("room=1")));
        assert_eq!(request.uri(), "https://example.org:8443/chat?room=1");
        assert_eq!(request.subprotocols(), ["soap", "wamp", "chat"]);
        let headers = request.headers();
        // RFC 9113 §8.2.3: crumbs are one header.
        assert_eq!(headers["cookie"], "a=1; b=2; c=3");
        assert_eq!(headers.get_all("cookie").iter().count(), 1);
        assert!(headers.get_all("x-twice").iter().eq(["1", "2"]));
        assert_eq!(headers["origin"], "https://elsewhere.example");
        assert_eq!(request.head().headers(), headers);
        assert!(!request.stream().is_encrypted() && request.stream().tls().is_none());
        assert_eq!(request.stream().version(), Version::HTTP_2);
        assert!(format!("{request:?}").contains("HTTP/2"));
        request.peer_addr()
    })
    .await;
    let mut client = Frames::dial(server.address).await;
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "example.org:8443"),
        (":path", "/chat?room=1"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "soap, wamp"),
        ("sec-websocket-protocol", "chat"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("cookie", "c=3"),
        ("origin", "https://elsewhere.example"),
    ];
    client.request(1, &fields, false).await;
    let Seen::Headers { status: 200, headers, .. } = client.see().await else { panic!() };
    assert_eq!(headers["sec-websocket-protocol"], "soap");
    assert_eq!(soon(seen.recv()).await.unwrap(), Some(client.io.local_addr().unwrap()));
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn the_head_of_an_ordinary_request() {
    let (server, mut seen) = seen_by(|request| {
        assert_eq!((request.version(), request.path()), (Version::HTTP_2, "/page"));
        assert!(!request.is_websocket() && request.subprotocols().is_empty());
        (request.method().clone(), request.authority().map(str::to_owned))
    })
    .await;
    let mut client = Frames::dial(server.address).await;
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Fields<'_>, Option<&str>); 3] = [
        (&GET, Some("example.org")),
        (&[GET[0], GET[1], GET[3], ("host", "by.host:81")], Some("by.host:81")),
        // RFC 9113 §8.3.1: nothing obliges it to name any.
        (&[GET[0], GET[1], GET[3]], None),
    ];
    for (stream, (fields, authority)) in (1..).step_by(2).zip(cases) {
        client.request(stream, fields, true).await;
        assert_eq!(client.answer(stream).await.0, 200);
        assert_eq!(soon(seen.recv()).await.unwrap(), (Method::GET, authority.map(str::to_owned)));
    }
    drop(client);
    server.stop().await;
}

/// Streams of a connection share its identity, and connections of either version have their own.
#[tokio::test]
async fn the_connections_identity() {
    let (server, mut seen) = seen_by(Request::connection_id).await;
    let mut ids: Vec<Vec<ConnectionId>> = Vec::new();
    for _ in 0..2 {
        let mut client = Http2::dial(server.address).await;
        let mut of_one = Vec::new();
        let _ws = client.open().await;
        let _other = client.open().await;
        client.get("/").await;
        for _ in 0..3 {
            of_one.push(soon(seen.recv()).await.unwrap());
        }
        ids.push(of_one);
    }
    for _ in 0..2 {
        let _ws = server.connect().await;
        ids.push(vec![soon(seen.recv()).await.unwrap()]);
    }
    for (index, of_one) in ids.iter().enumerate() {
        assert!(of_one.iter().all(|id| *id == of_one[0]), "{ids:?}");
        assert!(ids[..index].iter().all(|others| others[0] != of_one[0]), "{ids:?}");
    }
    server.stop().await;
}

/// The WebSocket tells the same as its request did.
#[tokio::test]
async fn the_websocket_tells_where_it_is() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let server = start(
        |builder| builder.config(sheave::Config::default().deflate(DeflateConfig::default())),
        move |request: Request| {
            let notes = Arc::clone(&notes);
            async move {
                let (id, version) = (request.connection_id(), request.version());
                let mut ws = request.accept().await?;
                assert_eq!((ws.connection_id(), ws.version()), (id, version));
                assert_eq!(ws.extensions().len(), usize::from(version == Version::HTTP_11));
                notes.lock().unwrap().push(version);
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            }
        },
    )
    .await;
    let mut client = Http2::dial(server.address).await;
    let mut ws = client.open().await;
    soon(ws.send("hello")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("hello".into()));
    assert_eq!(*told.lock().unwrap(), [Version::HTTP_2]);
    drop((ws, client));
    server.stop().await;
}

/// permessage-deflate is negotiated as over HTTP/1.1.
#[tokio::test]
async fn extensions_are_agreed_on() {
    let config = sheave::Config::default().deflate(DeflateConfig::default());
    let server = start(
        |builder| builder.config(config),
        |request: Request| async move {
            let mut ws = request.accept().await?;
            assert_eq!(ws.extensions()[0].name(), "permessage-deflate");
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    client.connect(1, &[("sec-websocket-extensions", "permessage-deflate; server_max_window_bits=10")]).await;
    let Seen::Headers { status: 200, headers, .. } = client.see().await else { panic!() };
    assert_eq!(headers["sec-websocket-extensions"], "permessage-deflate; server_max_window_bits=10");
    // "Hello", as RFC 7692 §7.2.3.1 has it, masked with zeros.
    let mut frame = vec![0xc1, 0x80 | 7, 0, 0, 0, 0];
    frame.extend_from_slice(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    client.data(1, frame, false).await;
    // Too short to be compressed, and then not.
    assert_eq!(client.take(1, 7).await, unmasked(TEXT, b"Hello"));
    client.frame(1, TEXT, &[b'a'; 1000]).await;
    let Seen::Data { stream: 1, data, end: false } = client.see().await else { panic!() };
    assert!(data[0] == 0xc1 && data.len() < 100, "{data:?}");
    drop(client);
    server.stop().await;
}

/// TLS is the connection's: each of its requests knows of it, and each WebSocket, split or not.
#[tokio::test]
async fn tls_is_known_to_every_stream() {
    let dev = DevCertificate::generate(&["localhost"]).unwrap();
    let alice = DevCertificate::generate(&["alice.example"]).unwrap();
    let config = dev
        .server_config_builder()
        .client_roots_pem(alice.ca_pem())
        .require_client_certificate(false)
        .build()
        .unwrap();
    let server = start(
        |builder| builder.tls(config),
        |request: Request| async move {
            let known = |stream: &sheave::Stream| {
                let session = stream.tls().unwrap();
                assert!(stream.is_encrypted());
                assert_eq!(tls::alpn_protocol(session), Some(&b"h2"[..]));
                assert_eq!(tls::server_name(session), Some("localhost"));
                assert!(tls::protocol_version(session).is_some());
                tls::peer_certificates(session).map_or(0, <[_]>::len)
            };
            let certificates = known(request.stream());
            if !request.is_websocket() {
                return request.respond(Response::new(certificates.to_string())).await;
            }
            let mut ws = request.accept().await?;
            assert_eq!(known(ws.get_ref()), certificates);
            ws.send(certificates.to_string()).await.map_err(Into::into)
        },
    )
    .await;
    let without = dev.client_config_builder();
    let with = dev.client_config_builder().client_certificate_pem(alice.chain_pem(), alice.key_pem());
    for (client, certificates) in [(without, "0"), (with, "1")] {
        let client = client.build().unwrap().with_alpn(&[b"h2"]);
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let mut client = Http2::over(soon(client.connect("localhost", tcp)).await.unwrap());
        for _ in 0..3 {
            let mut request = request(Method::GET, "/");
            *request.uri_mut() = "https://localhost/".parse().unwrap();
            assert_eq!(&client.ask(request, b"").await.body()[..], certificates.as_bytes());
            let mut ws = client.open().await;
            assert_eq!(soon(ws.recv()).await.unwrap(), Some(certificates.into()));
        }
    }
    server.stop().await;
}

/// A page that came in plain text may be anyone's: over TLS it is not of the same origin, over HTTP/2 either.
#[tokio::test]
async fn the_same_origin_over_tls() {
    let (tls, _) = support::certificate();
    let dev = DevCertificate::generate(&["localhost"]).unwrap();
    drop(tls);
    let config = dev.server_config_builder().build().unwrap();
    let server = start(|builder| builder.tls(config), mirror).await;
    let tls = dev.client_config_builder().build().unwrap().with_alpn(&[b"h2"]);
    let tcp = TcpStream::connect(server.address).await.unwrap();
    let mut client = Frames::begin(soon(tls.connect("localhost", tcp)).await.unwrap()).await;
    for (stream, origin, status) in [
        (1, "https://example.org", 200),
        (3, "http://example.org", 403),
        (5, "https://example.org:8443", 403),
    ] {
        client.connect(stream, &[("origin", origin)]).await;
        let Seen::Headers { status: answered, .. } = client.see().await else { panic!() };
        assert_eq!(answered, status, "{origin}");
        while status == 403 && !matches!(client.see().await, Seen::Reset(..)) {}
    }
    drop(client);
    server.stop().await;
}

/// What follows a CONNECT is no body: whoever asks for one gets none, and the WebSocket all of it.
#[tokio::test]
async fn a_websocket_has_no_body() {
    let server = start(
        |builder| builder,
        |mut request: Request| async move {
            assert!(request.body().await?.is_empty());
            echo(request).await
        },
    )
    .await;
    let mut client = Frames::dial(server.address).await;
    let more = [("expect", "100-continue"), ("content-length", "3")];
    client.request(1, &[&CONNECT[..], &more].concat(), false).await;
    client.frame(1, TEXT, b"at once").await;
    client.is_opened(1).await;
    assert_eq!(client.take(1, 9).await, unmasked(TEXT, b"at once"));
    drop(client);
    server.stop().await;
}

/// The same handler, byte for byte the same answer, whichever way it was asked.
#[tokio::test]
async fn both_versions_get_the_same_answer() {
    let server = start(
        |builder| builder,
        |request: Request| async move {
            let response = Response::builder().header("x-a", "1").header("content-type", "text/plain");
            request.respond(response.body("hello").unwrap()).await
        },
    )
    .await;
    let mut http1 = server.raw().await;
    let first = http1.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut http2 = Http2::dial(server.address).await;
    let second = http2.get("/").await;
    assert_eq!((first.status, first.body.as_bytes()), (second.status().as_u16(), &second.body()[..]));
    let mut names: Vec<_> = first.headers.iter().map(|(name, _)| name.clone()).collect();
    let mut others: Vec<_> = second.headers().keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    others.sort();
    assert_eq!(names, others);
    drop((http1, http2));
    server.stop().await;
}

/// The error of a WebSocket's stream is told apart from the WebSocket's own.
#[test]
fn errors_are_told_apart() {
    let error =
        ws::Error::from(std::io::Error::from(sheave::h2::Error::Reset(sheave::h2::ErrorCode::CANCEL)));
    assert!(sheave::stream_error(&error).is_some());
    assert_eq!(support::http2::reset_code(&error.into()), Some(sheave::h2::ErrorCode::CANCEL));
    let error = ws::Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    assert!(sheave::stream_error(&error).is_none());
    assert!(matches!(Error::from(error), Error::WebSocket(ws::Error::Io(_))));
}
