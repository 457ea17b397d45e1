"""The checks of messages, which are told in README.md.

`dial(path, subprotocols)` is a context in which a connection is open and that closes it. It has `subprotocol` and the
methods `send` (a message, or what iterates over its fragments), `recv`, `ping` (which waits until it is sent and returns
what waits for the Pong), `close`, and `peer_close`, which waits for the peer's Close and the end of the connection and
returns the code (1005 for none) and the reason.
"""

import asyncio
from functools import partial

from checks import expect

SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20)
CLOSES = ((1000, ""), (1001, ""), (1008, ""), (3000, ""), (4999, "reason"), (None, ""))
LETTERS = bytes(ord("a") + i % 26 for i in range(26 * 1024))
OCTETS = bytes((7 * i + 3) % 256 for i in range(256 * 1024))


def repeated(pattern, size):
    return (pattern * (size // len(pattern) + 1))[:size]


def letters(size):
    return repeated(LETTERS, size).decode()


def octets(size):
    return repeated(OCTETS, size)


async def echo(dial, message):
    async with dial("/echo") as ws:
        await ws.send(message())
        expect(await ws.recv(), message())


async def fragments(dial, parts, expected):
    async with dial("/echo") as ws:
        await ws.send(parts)
        expect(await ws.recv(), expected)


async def fragments_ping(dial):
    async with dial("/echo") as ws:

        async def parts():
            yield "one-"
            pongs.append(await ws.ping("between"))
            yield "two"

        pongs = []
        await ws.send(parts())
        expect(await ws.recv(), "one-two")
        await pongs[0]


async def first_message(dial, path, expected):
    async with dial(path) as ws:
        expect(await ws.recv(), expected)


async def ping(dial, payload):
    async with dial("/echo") as ws:
        await (await ws.ping(payload))


async def close(dial, code, reason):
    async with dial("/echo") as ws:
        await asyncio.wait_for(ws.close(code, reason), 5)
        expect((await ws.peer_close())[0], code or 1005)


async def close_by_peer(dial, code, reason):
    path = "/".join(str(part) for part in ("/close", code, reason) if part)
    async with dial(path) as ws:
        expect(await asyncio.wait_for(ws.peer_close(), 5), (code or 1005, reason))


async def subprotocol(dial, offered, expected):
    async with dial("/echo", offered) as ws:
        expect(ws.subprotocol, expected)


def messages(dial):
    """Names and functions."""
    for size in SIZES:
        yield f"text-{size}", partial(echo, dial, partial(letters, size))
        yield f"binary-{size}", partial(echo, dial, partial(octets, size))
    yield "text-unicode", partial(echo, dial, lambda: "κόσμε 😀 \U0010ffff")
    yield "fragments-text", partial(fragments, dial, ["alpha-", "βήτα-", "gamma"], "alpha-βήτα-gamma")
    parts = [bytes([value]) * 1000 for value in range(1, 6)]
    yield "fragments-binary", partial(fragments, dial, parts, b"".join(parts))
    yield "fragments-ping", partial(fragments_ping, dial)
    yield "fragments-by-peer", partial(first_message, dial, "/fragments", "a" * 1000 + "b" * 1000 + "c" * 1000)
    yield "ping", partial(ping, dial, "sheave")
    yield "ping-empty", partial(ping, dial, "")
    yield "ping-125", partial(ping, dial, "p" * 125)
    yield "ping-by-peer", partial(first_message, dial, "/ping/from-peer", "pong from-peer")
    for code, reason in CLOSES:
        name = "-".join(part for part in (str(code or "none"), reason) if part)
        yield f"close-{name}", partial(close, dial, code, reason)
        yield f"close-by-peer-{name}", partial(close_by_peer, dial, code, reason)
    yield "subprotocol-chosen", partial(subprotocol, dial, ["unknown", "superchat", "chat"], "superchat")
    yield "subprotocol-none", partial(subprotocol, dial, None, None)
