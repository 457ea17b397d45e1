"""The checks on Python websockets: client.py URL [--ca FILE]. The contract is in README.md."""

import ssl
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from checks import run
from messages import messages

url = sys.argv[1]
tls = ssl.create_default_context(cafile=sys.argv[3]) if len(sys.argv) > 3 else None


class Connection(ClientConnection):
    async def peer_close(self):
        try:
            message = await self.recv()
            raise AssertionError(f"a message instead of a close: {message!r:.80}")
        except ConnectionClosed as closed:
            await self.wait_closed()
            return closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)


def dial(path, subprotocols=None):
    options = dict(compression=None, max_size=None, ping_interval=None, create_connection=Connection)
    return connect(url + path, ssl=tls, subprotocols=subprotocols, **options)


run(messages(dial))
