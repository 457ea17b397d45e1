"""The checks of permessage-deflate on Python websockets: deflate.py URL. The contract is in README.md."""

import random
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from checks import expect, insist_on_compression, run

TAKEOVERS = {"both": (True, True), "server": (True, False), "client": (False, True), "none": (False, False)}
DECLINED = {
    "server-8": "server_max_window_bits=8",
    "server-7": "server_max_window_bits=7",
    "server-16": "server_max_window_bits=16",
    "server-without-value": "server_max_window_bits",
    "client-7": "client_max_window_bits=7",
    "client-with-zero": "client_max_window_bits=09",
    "flag-with-value": "client_no_context_takeover=1",
    "twice": "server_no_context_takeover; server_no_context_takeover",
    "unknown": "window_bits=15",
}
DISTANCES = (200, 400, 800, 1600, 3200, 6400, 20_000)

url = sys.argv[1]


def dial(path, **wishes):
    factory = ClientPerMessageDeflateFactory(**wishes)
    return connect(url + path, extensions=[factory], compression=None, max_size=None, ping_interval=None)


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
    name, *parameters = ws.response.headers["Sec-WebSocket-Extensions"].split(";")
    expect(name, "permessage-deflate")
    found = dict(parameter.strip().partition("=")[::2] for parameter in parameters)
    server_takeover = "server_no_context_takeover" not in found
    client_takeover = "client_no_context_takeover" not in found
    expect((server_takeover, client_takeover), TAKEOVERS[takeover])
    expect(int(found.get("server_max_window_bits", 15)), server)
    expect(int(found.get("client_max_window_bits", 15)), client)
    insist_on_compression(ws)


def greeting():
    return "a" * 1000 + "b" * 1000 + "c" * 1000


def json(number):
    entry = f'{{"number": {number}, "name": "sheave", "tags": ["a", "b"]}},'
    return f"[{entry * 20}{{}}]"


def distant():
    return b"".join(random.Random(distance).randbytes(distance) * 2 for distance in DISTANCES)


async def exchange(ws):
    expect(await ws.recv(), greeting())
    messages = [json(0), json(1), json(2), "", distant(), "after"]
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


async def asked(server, client, takeover):
    async with dial("/deflate/asked", **asking(server, client, takeover)) as ws:
        agreed(ws, server, client, takeover)
        await exchange(ws)


async def imposed(server, client, takeover):
    async with dial(f"/deflate/imposed/{server}/{client}/{takeover}") as ws:
        agreed(ws, server, client, takeover)
        await exchange(ws)


async def large(takeover):
    async with dial("/deflate/asked", **asking(15, 15, takeover)) as ws:
        expect(await ws.recv(), greeting())
        text = "one mebibyte of the same line\n" * ((1 << 20) // 30)
        binary = random.Random(7).randbytes(1 << 20)
        for message in (text, text, binary, binary):
            await ws.send(message)
            expect(await ws.recv(), message)


async def unlimited():
    async with dial("/deflate/imposed/15/9/both", client_max_window_bits=None) as ws:
        agreed(ws, 15, 15, "server")
        await exchange(ws)


async def declined(parameters):
    offer = {"Sec-WebSocket-Extensions": f"permessage-deflate; {parameters}"}
    async with connect(url + "/deflate/asked", additional_headers=offer, compression=None) as ws:
        expect(ws.response.headers.get("Sec-WebSocket-Extensions"), None)
        expect(await ws.recv(), greeting())
        await ws.send("plain")
        expect(await ws.recv(), "plain")


def checks():
    for takeover in TAKEOVERS:
        for server in range(9, 16):
            for client in range(9, 16):
                yield f"asked-{server}-{client}-{takeover}", asked(server, client, takeover)
                yield f"imposed-{server}-{client}-{takeover}", imposed(server, client, takeover)
        yield f"large-{takeover}", large(takeover)
    yield "unlimited", unlimited()
    for name, parameters in DECLINED.items():
        yield f"declined-{name}", declined(parameters)


run(checks())
