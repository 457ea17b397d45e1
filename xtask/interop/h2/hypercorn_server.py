"""A server on hypercorn: hypercorn_server.py [CHAIN KEY]. The contract is in ../README.md."""

import asyncio
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config

SUBPROTOCOLS = ("chat", "superchat", "echo.v1")


async def app(scope, receive, send):
    if scope["type"] != "websocket":
        raise NotImplementedError(scope["type"])
    await receive()
    chosen = next((name for name in scope["subprotocols"] if name in SUBPROTOCOLS), None)
    await send({"type": "websocket.accept", "subprotocol": chosen})
    what, *words = scope["path"].strip("/").split("/")
    if what == "close":
        await send({"type": "websocket.close", "code": int(words[0]), "reason": "".join(words[1:])})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")})


async def main():
    config = Config()
    tls = len(sys.argv) > 1
    if tls:
        config.certfile, config.keyfile = sys.argv[1:]
    # Taken over as it is, so that the port is known.
    listener = socket.create_server(("127.0.0.1", 0))
    config.bind = [f"fd://{listener.fileno()}"]
    config.websocket_max_message_size = 64 << 20
    print(f"listening on {'wss' if tls else 'ws'}://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await serve(app, config, shutdown_trigger=lambda: asyncio.shield(end))


asyncio.run(main())
