"""The checks on Python websockets: client.py URL [--ca FILE]. The contract is in README.md."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from checks import expect, run

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20)
CLOSES = ((1000, ""), (1001, ""), (1008, ""), (3000, ""), (4999, "reason"), (None, ""))
LETTERS = bytes(ord("a") + i % 26 for i in range(26 * 1024))
OCTETS = bytes((7 * i + 3) % 256 for i in range(256 * 1024))

url = sys.argv[1]
tls = ssl.create_default_context(cafile=sys.argv[3]) if len(sys.argv) > 3 else None


def dial(path="/echo", **more):
    return connect(url + path, ssl=tls, compression=None, max_size=None, ping_interval=None, **more)


def repeated(pattern, size):
    return (pattern * (size // len(pattern) + 1))[:size]


async def echo(sent, expected):
    async with dial() as ws:
        await ws.send(sent)
        expect(await ws.recv(), expected)


async def fragments_ping():
    async with dial() as ws:

        async def parts():
            yield "one-"
            pong = await ws.ping("between")
            yield "two"
            await pong

        await ws.send(parts())
        expect(await ws.recv(), "one-two")


async def first_message(path, expected):
    async with dial(path) as ws:
        expect(await ws.recv(), expected)


async def ping(payload):
    async with dial() as ws:
        await (await ws.ping(payload))


async def close(code, reason):
    async with dial() as ws:
        await asyncio.wait_for(ws.close(code, reason), 5)
        answer = ws.protocol.close_rcvd
        expect(answer and answer.code, code or 1005)


async def close_by_peer(code, reason):
    path = "/".join(str(part) for part in ("/close", code, reason) if part)
    async with dial(path) as ws:
        try:
            message = await asyncio.wait_for(ws.recv(), 5)
            raise AssertionError(f"a message instead of a close: {message!r:.80}")
        except ConnectionClosed as closed:
            expect(closed.rcvd and (closed.rcvd.code, closed.rcvd.reason), (code or 1005, reason))
        await asyncio.wait_for(ws.wait_closed(), 5)


async def subprotocol(offered, expected):
    async with dial(subprotocols=offered) as ws:
        expect(ws.subprotocol, expected)


def checks():
    for size in SIZES:
        text = repeated(LETTERS, size).decode()
        yield f"text-{size}", echo(text, text)
        octets = repeated(OCTETS, size)
        yield f"binary-{size}", echo(octets, octets)
    unicode = "κόσμε 😀 \U0010ffff"
    yield "text-unicode", echo(unicode, unicode)
    yield "fragments-text", echo(["alpha-", "βήτα-", "gamma"], "alpha-βήτα-gamma")
    parts = [bytes([value]) * 1000 for value in range(1, 6)]
    yield "fragments-binary", echo(parts, b"".join(parts))
    yield "fragments-ping", fragments_ping()
    yield "fragments-by-peer", first_message("/fragments", "a" * 1000 + "b" * 1000 + "c" * 1000)
    yield "ping", ping("sheave")
    yield "ping-empty", ping("")
    yield "ping-125", ping("p" * 125)
    yield "ping-by-peer", first_message("/ping/from-peer", "pong from-peer")
    for code, reason in CLOSES:
        name = "-".join(part for part in (str(code or "none"), reason) if part)
        yield f"close-{name}", close(code, reason)
        yield f"close-by-peer-{name}", close_by_peer(code, reason)
    yield "subprotocol-chosen", subprotocol(["unknown", "superchat", "chat"], "superchat")
    yield "subprotocol-none", subprotocol(None, None)


run(checks())
