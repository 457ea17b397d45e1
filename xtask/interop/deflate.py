"""The checks of permessage-deflate on Python websockets: deflate.py URL. The contract is in README.md."""

import sys
from functools import partial

from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from checks import expect, insist_on_compression, run
from compression import GREETING, TAKEOVERS, asked, combinations, imposed, large, unlimited

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

url = sys.argv[1]


class Connection(ClientConnection):
    insist_on_compression = insist_on_compression

    @property
    def extensions(self):
        return self.response.headers.get("Sec-WebSocket-Extensions")


def connection(path, **more):
    options = dict(compression=None, max_size=None, ping_interval=None, create_connection=Connection)
    return connect(url + path, **options, **more)


def dial(path, **wishes):
    return connection(path, extensions=[ClientPerMessageDeflateFactory(**wishes)])


async def declined(parameters):
    offer = {"Sec-WebSocket-Extensions": f"permessage-deflate; {parameters}"}
    async with connection("/deflate/asked", additional_headers=offer) as ws:
        expect(ws.extensions, None)
        expect(await ws.recv(), GREETING)
        await ws.send("plain")
        expect(await ws.recv(), "plain")


def checks():
    yield from combinations("asked", asked, dial)
    yield from combinations("imposed", imposed, dial)
    for takeover in TAKEOVERS:
        yield f"large-{takeover}", partial(large, dial, takeover)
    yield "unlimited", partial(unlimited, dial)
    for name, parameters in DECLINED.items():
        yield f"declined-{name}", partial(declined, parameters)


run(checks())
