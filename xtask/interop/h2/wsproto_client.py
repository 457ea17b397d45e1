"""The checks on Python's h2 and wsproto: wsproto_client.py URL [--ca FILE] CHECK... The contract is in ../README.md."""

import argparse
import asyncio
import collections
import contextlib
import ssl
import urllib.parse

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import wsproto.connection
import wsproto.events
import wsproto.extensions
import wsproto.frame_protocol
from checks import expect, run_named
from compression import combinations, echoed
from messages import messages

Codes = h2.settings.SettingCodes
WINDOW = 1 << 20
NO_STATUS = wsproto.frame_protocol.CloseReason.NO_STATUS_RCVD


class Connection(asyncio.Protocol):
    """An HTTP/2 connection."""

    def __init__(self):
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        more = {Codes.ENABLE_PUSH: 0, Codes.INITIAL_WINDOW_SIZE: WINDOW}
        self.h2.local_settings = h2.settings.Settings(initial_values=more)
        self.sockets = {}
        self.has_settings = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(16 << 20)
        self.flush()

    def data_received(self, data):
        try:
            for event in self.h2.receive_data(data):
                self.take(event)
        except Exception as why:
            self.fail(why)
        for socket in list(self.sockets.values()):
            socket.advance()
        self.flush()

    def connection_lost(self, why):
        self.fail(why or EOFError("the server has ended the connection"))

    def fail(self, why):
        if not self.has_settings.done():
            self.has_settings.set_exception(why)
        for socket in self.sockets.values():
            socket.fail(why)

    def take(self, event):
        if isinstance(event, h2.events.RemoteSettingsChanged) and not self.has_settings.done():
            self.has_settings.set_result(None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.fail(EOFError(f"GOAWAY with {event.error_code}"))
        elif isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if socket := self.sockets.get(getattr(event, "stream_id", None)):
            socket.take(event)

    def flush(self):
        if data := self.h2.data_to_send():
            self.transport.write(data)

    def close(self):
        self.h2.close_connection()
        self.flush()
        self.transport.close()


class Deflate(wsproto.extensions.PerMessageDeflate):
    insists = False

    def frame_inbound_header(self, proto, opcode, rsv, payload_length):
        if self.insists and opcode in (1, 2) and not rsv.rsv1:
            raise AssertionError("not compressed")
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)


class Socket:
    """A WebSocket on a stream."""

    def __init__(self, connection, extensions):
        loop = asyncio.get_running_loop()
        self.connection, self.offered = connection, extensions
        self.stream = connection.h2.get_next_available_stream_id()
        connection.sockets[self.stream] = self
        self.subprotocol, self.extensions, self.ws = None, None, None
        self.opened, self.ended, self.closed = loop.create_future(), loop.create_future(), loop.create_future()
        self.parts, self.messages, self.pongs = [], asyncio.Queue(), collections.deque()
        self.to_send, self.sent = bytearray(), asyncio.Event()
        # Whether END_STREAM is to follow; whether nothing can any more.
        self.ends, self.over = False, False

    def request(self, scheme, authority, path, fields):
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", scheme), (":path", path)]
        head += [(":authority", authority), ("sec-websocket-version", "13"), *fields]
        self.connection.h2.send_headers(self.stream, head)
        self.connection.flush()

    def take(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self.take_response(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived) and event.data:
            self.ws.receive_data(event.data)
            for event in self.ws.events():
                self.take_frame(event)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.set_result(None)
            self.fail(EOFError("the stream ended"))
        elif isinstance(event, h2.events.StreamReset):
            self.over = True
            self.fail(EOFError(f"RST_STREAM with {event.error_code!r}"))

    def take_response(self, fields):
        expect(fields[":status"], "200")
        self.subprotocol = fields.get("sec-websocket-protocol")
        self.extensions = fields.get("sec-websocket-extensions")
        agreed = []
        if self.extensions is not None:
            self.offered[0].finalize(self.extensions)
            agreed = self.offered
        self.ws = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT, agreed)
        self.opened.set_result(None)

    def take_frame(self, event):
        if isinstance(event, wsproto.events.Ping):
            self.write(self.ws.send(event.response()))
        elif isinstance(event, wsproto.events.Pong):
            expect(bytes(event.payload), self.pongs[0][0])
            self.pongs.popleft()[1].set_result(None)
        elif isinstance(event, wsproto.events.Message):
            self.parts.append(event.data)
            if event.message_finished:
                self.messages.put_nowait(type(event.data)().join(self.parts))
                self.parts.clear()
        elif isinstance(event, wsproto.events.CloseConnection):
            self.closed.set_result((event.code, event.reason or ""))
            if self.ws.state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                self.write(self.ws.send(event.response()))

    def fail(self, why):
        """What waits for something that will not come, waits no longer."""
        waiting = [self.opened, self.ended, self.closed, *(waiter for _, waiter in self.pongs)]
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(why)
                # Perhaps nobody waits.
                waiter.exception()
        self.messages.put_nowait(why)
        self.to_send.clear()
        self.sent.set()

    def write(self, data, ends=False):
        self.to_send += data
        self.ends |= ends
        self.sent.clear()
        self.advance()
        self.connection.flush()

    def advance(self):
        """Sends what the windows allow."""
        protocol = self.connection.h2
        while self.to_send and not self.over:
            room = min(protocol.local_flow_control_window(self.stream), protocol.max_outbound_frame_size)
            piece = bytes(memoryview(self.to_send)[:room])
            if not piece:
                return
            del self.to_send[:room]
            self.over = self.ends and not self.to_send
            protocol.send_data(self.stream, piece, end_stream=self.over)
        if self.ends and not self.over:
            self.over = True
            protocol.end_stream(self.stream)
        self.sent.set()

    async def send_part(self, data, finished):
        kind = wsproto.events.TextMessage if isinstance(data, str) else wsproto.events.BytesMessage
        self.write(self.ws.send(kind(data=data, message_finished=finished)))
        await self.sent.wait()

    async def send(self, message):
        if isinstance(message, (str, bytes)):
            return await self.send_part(message, True)
        async for part in message if hasattr(message, "__aiter__") else each(message):
            await self.send_part(part, False)
        await self.send_part(type(part)(), True)

    async def recv(self):
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def ping(self, payload):
        answer = asyncio.get_running_loop().create_future()
        self.pongs.append((payload.encode(), answer))
        self.write(self.ws.send(wsproto.events.Ping(payload=payload.encode())))
        return answer

    def insist_on_compression(self):
        self.offered[0].insists = True

    async def close(self, code=1000, reason="", ends=False):
        """The server has to answer and to end the stream; then the client ends its half."""
        if self.ws.state is wsproto.connection.ConnectionState.OPEN:
            close = wsproto.events.CloseConnection(code=code or NO_STATUS, reason=reason or None)
            self.write(self.ws.send(close), ends)
        await self.peer_close()
        self.write(b"", True)

    async def peer_close(self):
        close = await self.closed
        await self.ended
        if not self.messages.empty() and isinstance(message := self.messages.get_nowait(), (str, bytes)):
            raise AssertionError(f"a message instead of a close: {message!r:.80}")
        return close

    def reset(self):
        self.connection.h2.reset_stream(self.stream, h2.errors.ErrorCodes.CANCEL)
        self.connection.flush()


async def each(parts):
    for part in parts:
        yield part


class Client:
    def __init__(self, url, ca):
        self.parts = urllib.parse.urlsplit(url)
        self.scheme = "https" if ca else "http"
        self.tls = None
        if ca:
            self.tls = ssl.create_default_context(cafile=ca)
            self.tls.set_alpn_protocols(["h2"])

    @contextlib.asynccontextmanager
    async def connect(self):
        loop = asyncio.get_running_loop()
        host, port = self.parts.hostname, self.parts.port
        _, connection = await loop.create_connection(Connection, host, port, ssl=self.tls)
        try:
            await connection.has_settings
            expect(connection.h2.remote_settings.enable_connect_protocol, 1)
            yield connection
        finally:
            connection.close()

    async def open(self, connection, path, subprotocols=None, wishes=None):
        fields, extensions = [], []
        if subprotocols:
            fields.append(("sec-websocket-protocol", ", ".join(subprotocols)))
        if wishes is not None:
            extensions.append(Deflate(**wishes))
            fields.append(("sec-websocket-extensions", f"permessage-deflate; {extensions[0].offer()}"))
        socket = Socket(connection, extensions)
        socket.request(self.scheme, self.parts.netloc, path, fields)
        await socket.opened
        return socket

    @contextlib.asynccontextmanager
    async def dial(self, path, subprotocols=None, **wishes):
        async with self.connect() as connection:
            socket = await self.open(connection, path, subprotocols, wishes or None)
            yield socket
            await socket.close()

    async def sockets(self, count):
        """All have their first message back before any sends its second, and all have begun to close before any has."""
        async with self.connect() as connection:
            sockets = await asyncio.gather(*(self.open(connection, "/echo") for _ in range(count)))
            for size in (10, 10_000):
                for number, socket in enumerate(sockets):
                    await socket.send(f"{number:010}" * (size // 10))
                for number, socket in enumerate(sockets):
                    expect(await socket.recv(), f"{number:010}" * (size // 10))
            await asyncio.gather(*(socket.close(1001) for socket in sockets))
            for socket in sockets:
                expect(await socket.peer_close(), (1001, ""))

    async def apart(self):
        """Whatever way one ends, another goes on."""
        async with self.connect() as connection:
            other = await self.open(connection, "/echo")
            await (await self.open(connection, "/echo")).close(1001)
            await (await self.open(connection, "/close/4000")).close()
            broken = await self.open(connection, "/echo")
            await broken.send("broken off")
            broken.reset()
            await asyncio.sleep(3)
            await other.send("still here")
            expect(await other.recv(), "still here")
            await other.close()

    async def end_with_close(self):
        """As Chromium does it: END_STREAM is on the DATA frame of the Close."""
        async with self.dial("/echo") as socket:
            await socket.close(1000, ends=True)
            expect(await socket.peer_close(), (1000, ""))

    def checks(self):
        yield from messages(self.dial)
        yield from combinations("echoed", echoed, self.dial)
        yield "sockets-100", lambda: self.sockets(100)
        yield "sockets-apart", self.apart
        yield "end-with-close", self.end_with_close


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("checks", nargs="*")
    arguments = parser.parse_intermixed_args()
    run_named(Client(arguments.url, arguments.ca).checks(), arguments.checks)


main()
