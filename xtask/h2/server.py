"""The server of the interop checks on Python's h2: server.py [CHAIN KEY]. The contract is in README.md."""

import itertools
import os
import socket
import ssl
import sys
import threading

import h2.errors
import h2.events
from connection import PAGE, TRAILERS, Codes, Connection

ECHO = {("POST", "/echo"), ("CONNECT", "/chat")}


def pieces(length):
    whole, rest = divmod(length, 1 << 14)
    return itertools.chain(itertools.repeat(b"." * (1 << 14), whole), [b"." * rest])


def answer(connection, stream, fields):
    method, path = fields[":method"], fields[":path"]
    head = [(":status", "200")]
    if path == "/early":
        connection.h2.send_headers(stream, [(":status", "103")])
    if path == "/fields":
        head += [(name, value) for name, value in fields.items() if name.startswith("x-")]
    connection.h2.send_headers(stream, head)
    if (method, path) in ECHO:
        return
    if path == "/reset":
        connection.h2.send_data(stream, PAGE)
        connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        return
    if path.startswith("/bytes/"):
        connection.content[stream].append(pieces(int(path[7:])))
    elif method != "HEAD" and path != "/fields":
        connection.send(stream, PAGE)
    connection.end(stream, TRAILERS if path == "/trailers" else None)


def serve(sock, context):
    if context:
        sock = context.wrap_socket(sock, server_side=True)
    connection = Connection(sock, False, {Codes.ENABLE_CONNECT_PROTOCOL: 1})
    echoing, trailers = set(), {}
    while (events := connection.receive()) is not None:
        # What was taken back before it was looked at, h2 knows nothing of any more.
        gone = {event.stream_id for event in events if isinstance(event, h2.events.StreamReset)}
        for event in events:
            if getattr(event, "stream_id", None) in gone:
                continue
            if isinstance(event, h2.events.RequestReceived):
                fields = dict(event.headers)
                if (fields[":method"], fields[":path"]) in ECHO:
                    echoing.add(event.stream_id)
                answer(connection, event.stream_id, fields)
            elif isinstance(event, h2.events.DataReceived) and event.stream_id in echoing:
                connection.send(event.stream_id, event.data)
            elif isinstance(event, h2.events.TrailersReceived):
                trailers[event.stream_id] = event.headers
            elif isinstance(event, h2.events.StreamEnded) and event.stream_id in echoing:
                connection.end(event.stream_id, trailers.pop(event.stream_id, None))
            elif isinstance(event, h2.events.ConnectionTerminated):
                sock.close()
                return
    sock.close()


def main():
    context = None
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[1:])
        context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if context else "http"
    print(f"listening on {scheme}://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    def accept():
        while True:
            sock = listener.accept()[0]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(sock, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
