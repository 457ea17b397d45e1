"""An echo server on Python websockets: server.py [CHAIN KEY]. The contract is in README.md."""

import asyncio
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from checks import insist_on_compression

SUBPROTOCOLS = ("chat", "superchat", "echo.v1")


def choose(_connection, offered):
    return next((name for name in offered if name in SUBPROTOCOLS), None)


def negotiate(ws, request):
    words = request.path.strip("/").split("/")
    if words[0] != "deflate":
        return
    wishes = {}
    if words[1] == "imposed":
        wishes = dict(
            server_max_window_bits=int(words[2]),
            client_max_window_bits=int(words[3]),
            server_no_context_takeover=words[4] not in ("both", "server"),
            client_no_context_takeover=words[4] not in ("both", "client"),
        )
    ws.protocol.available_extensions = [ServerPerMessageDeflateFactory(**wishes)]


async def close(ws, code, reason):
    name = "-".join(part for part in (str(code or "none"), reason) if part)
    await ws.close(code, reason)
    answer = ws.protocol.close_rcvd
    if answer is not None and answer.code == (code or 1005):
        print(f"ok close-seen-{name}", flush=True)
    else:
        print(f"FAIL close-seen-{name} the answer was {answer}", flush=True)


async def fragments(ws):
    async def parts():
        yield "a" * 1000
        await ws.ping("between")
        yield "b" * 1000
        yield "c" * 1000

    await ws.send(parts())


async def handle(ws):
    words = ws.request.path.strip("/").split("/")
    try:
        if words[0] == "close":
            code = int(words[1]) if len(words) > 1 else None
            return await close(ws, code, words[2] if len(words) > 2 else "")
        if words[0] == "ping":
            await (await ws.ping(words[1]))
            await ws.send(f"pong {words[1]}")
        if words[0] == "deflate":
            insist_on_compression(ws)
        if words[0] == "fragments" or (words[0] == "deflate" and words[1] != "echo"):
            await fragments(ws)
        async for message in ws:
            await ws.send(message)
    except ConnectionClosed:
        pass


async def main():
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    options = dict(compression=None, max_size=None, ping_interval=None, select_subprotocol=choose)
    async with serve(handle, "127.0.0.1", 0, ssl=tls, process_request=negotiate, **options) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on {'wss' if tls else 'ws'}://127.0.0.1:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
