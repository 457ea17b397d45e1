"""The checks of permessage-deflate, which are told in README.md.

`dial(path, **wishes)` is a context like that of messages.py, whose connection has agreed on what the wishes ask for, if
the server likes. It has `extensions`, the server's answer, and `insist_on_compression`, after which no message may come
uncompressed.
"""

import random
from functools import partial

from checks import expect

TAKEOVERS = {"both": (True, True), "server": (True, False), "client": (False, True), "none": (False, False)}
DISTANCES = (200, 400, 800, 1600, 3200, 6400, 20_000)
GREETING = "a" * 1000 + "b" * 1000 + "c" * 1000


def asking(server, client, takeover):
    server_takeover, client_takeover = TAKEOVERS[takeover]
    return dict(
        server_max_window_bits=server,
        client_max_window_bits=client,
        server_no_context_takeover=not server_takeover,
        client_no_context_takeover=not client_takeover,
    )


def agreed(ws, server, client, takeover):
    """The answer, with what goes without saying filled in; and from now on nothing may come uncompressed."""
    name, *parameters = ws.extensions.split(";")
    expect(name, "permessage-deflate")
    found = dict(parameter.strip().partition("=")[::2] for parameter in parameters)
    server_takeover = "server_no_context_takeover" not in found
    client_takeover = "client_no_context_takeover" not in found
    expect((server_takeover, client_takeover), TAKEOVERS[takeover])
    expect(int(found.get("server_max_window_bits", 15)), server)
    expect(int(found.get("client_max_window_bits", 15)), client)
    ws.insist_on_compression()


def json(number):
    entry = f'{{"number": {number}, "name": "sheave", "tags": ["a", "b"]}},'
    return f"[{entry * 20}{{}}]"


def distant():
    return b"".join(random.Random(distance).randbytes(distance) * 2 for distance in DISTANCES)


def all_kinds():
    return [json(0), json(1), json(2), "", distant(), "after"]


async def exchange(ws):
    expect(await ws.recv(), GREETING)
    messages = all_kinds()
    for message in messages:
        await ws.send(message)

    async def parts():
        yield "one-"
        pongs.append(await ws.ping("between"))
        yield "two"

    pongs = []
    await ws.send(parts())
    for message in (*messages, "one-two"):
        expect(await ws.recv(), message)
    await pongs[0]


async def asked(dial, server, client, takeover):
    async with dial("/deflate/asked", **asking(server, client, takeover)) as ws:
        agreed(ws, server, client, takeover)
        await exchange(ws)


async def imposed(dial, server, client, takeover):
    async with dial(f"/deflate/imposed/{server}/{client}/{takeover}") as ws:
        agreed(ws, server, client, takeover)
        await exchange(ws)


async def echoed(dial, server, client, takeover):
    async with dial("/deflate/echo", **asking(server, client, takeover)) as ws:
        agreed(ws, server, client, takeover)
        for message in all_kinds():
            await ws.send(message)
        for message in all_kinds():
            expect(await ws.recv(), message)


async def large(dial, takeover):
    async with dial("/deflate/asked", **asking(15, 15, takeover)) as ws:
        expect(await ws.recv(), GREETING)
        text = "one mebibyte of the same line\n" * ((1 << 20) // 30)
        binary = random.Random(7).randbytes(1 << 20)
        for message in (text, text, binary, binary):
            await ws.send(message)
            expect(await ws.recv(), message)


async def unlimited(dial):
    async with dial("/deflate/imposed/15/9/both", client_max_window_bits=None) as ws:
        agreed(ws, 15, 15, "server")
        await exchange(ws)


def combinations(name, check, dial):
    """Names and functions."""
    for takeover in TAKEOVERS:
        for server in range(9, 16):
            for client in range(9, 16):
                yield f"{name}-{server}-{client}-{takeover}", partial(check, dial, server, client, takeover)
