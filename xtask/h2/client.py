"""The checks on Python's h2: client.py URL [--ca FILE] CHECK... The contract is in README.md."""

import argparse
import collections
import functools
import socket
import ssl
import urllib.parse

import h2.errors
import h2.events
from checks import run, same
from connection import PAGE, TRAILERS, Codes, Connection


def octets(size):
    return (bytes((7 * i + 3) % 256 for i in range(256)) * (size // 256 + 1))[:size]


def letters(size):
    return ("abcdefghijklmnopqrstuvwxyz" * (size // 26 + 1))[:size]


class Response:
    def __init__(self):
        self.informational, self.fields, self.trailers = [], None, None
        self.content, self.ended, self.reset = bytearray(), False, None


class Client:
    def __init__(self, url, ca):
        parts = urllib.parse.urlsplit(url)
        self.base = [(":scheme", parts.scheme), (":authority", parts.netloc)]
        sock = socket.create_connection((parts.hostname, parts.port), timeout=20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            context.set_alpn_protocols(["h2"])
            sock = context.wrap_socket(sock, server_hostname=parts.hostname)
        self.connection = Connection(sock, True, {Codes.ENABLE_PUSH: 0})
        self.responses = collections.defaultdict(Response)
        self.has_settings = False
        self.wait(lambda: self.has_settings)

    def wait(self, done):
        """Goes on until something has come."""
        self.connection.flush()
        while not done():
            events = self.connection.receive()
            if events is None:
                raise EOFError("the server has ended the connection")
            for event in events:
                self.take(event)

    def take(self, event):
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.has_settings = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise EOFError(f"GOAWAY with {event.error_code}")
        stream = getattr(event, "stream_id", None)
        if not stream:
            return
        response = self.responses[stream]
        if isinstance(event, h2.events.InformationalResponseReceived):
            response.informational.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            response.fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.content += event.data
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = [tuple(field) for field in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = event.error_code

    def request(self, path, method="GET", fields=(), end=True):
        stream = self.connection.h2.get_next_available_stream_id()
        head = [(":method", method), *self.base, (":path", path), *fields]
        self.connection.h2.send_headers(stream, head, end_stream=end)
        return stream, self.responses[stream]

    def ask(self, path, method="GET", fields=()):
        _, response = self.request(path, method, fields)
        self.wait(lambda: response.ended)
        same(response.fields[":status"], "200")
        return response

    def close(self):
        self.connection.h2.close_connection()
        self.connection.sock.sendall(self.connection.h2.data_to_send())
        self.connection.sock.close()

    def get(self):
        same(self.ask("/").content, PAGE)

    def head(self):
        same(self.ask("/", "HEAD").content, b"")

    def echo(self, size, trailers=None):
        stream, response = self.request("/echo", "POST", end=False)
        self.connection.send(stream, octets(size))
        self.connection.end(stream, trailers)
        self.wait(lambda: response.ended)
        same(response.content, octets(size))
        same(response.trailers, trailers)

    def trailers(self):
        response = self.ask("/trailers")
        same(response.content, PAGE)
        same(response.trailers, TRAILERS)

    def early_hints(self):
        response = self.ask("/early")
        same([fields[":status"] for fields in response.informational], ["103"])
        same(response.content, PAGE)

    def fields(self):
        response = self.ask("/fields", fields=[("x-large", letters(40_000))])
        same(response.fields["x-large"], letters(40_000))

    def streams(self, count):
        streams = [self.request("/echo", "POST", end=False) for _ in range(count)]
        for stream, _ in streams:
            self.connection.send(stream, b"one-")
        for _, response in streams:
            self.wait(lambda: len(response.content) == 4)
        for stream, _ in streams:
            self.connection.send(stream, b"two")
            self.connection.end(stream)
        for _, response in streams:
            self.wait(lambda: response.ended)
            same(response.content, b"one-two")

    def cancel(self):
        stream, response = self.request("/bytes/1073741824")
        self.wait(lambda: len(response.content) >= 100_000)
        self.connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.get()
        stream, response = self.request("/echo", "POST", end=False)
        self.connection.send(stream, octets(10_000))
        self.wait(lambda: response.content)
        self.connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        self.get()

    def reset(self):
        _, response = self.request("/reset")
        self.wait(lambda: response.reset is not None)
        same((response.reset, response.ended), (h2.errors.ErrorCodes.CANCEL, False))
        self.get()

    def connect(self):
        same(self.connection.h2.remote_settings.enable_connect_protocol, 1)
        stream, response = self.request("/chat", "CONNECT", [(":protocol", "websocket")], end=False)
        for size in (1, 1000, 100_000):
            self.connection.send(stream, octets(size))
            self.wait(lambda: len(response.content) == size)
            same(response.content, octets(size))
            response.content.clear()
        self.connection.end(stream)
        self.wait(lambda: response.ended)
        same(response.content, b"")

    def make(self, name):
        kind, _, argument = name.partition("-")
        if kind == "echo":
            self.echo(int(argument))
        elif kind == "streams":
            self.streams(int(argument))
        elif name == "trailers-echo":
            self.echo(1000, TRAILERS)
        else:
            getattr(self, name.replace("-", "_"))()


def check(url, ca, name):
    client = Client(url, ca)
    client.make(name)
    client.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("checks", nargs="*")
    arguments = parser.parse_intermixed_args()
    run((name, functools.partial(check, arguments.url, arguments.ca, name)) for name in arguments.checks)


main()
