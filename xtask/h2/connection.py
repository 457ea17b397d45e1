"""A connection on Python's h2: what client.py and server.py have in common. The contract is in README.md."""

import collections

import h2.config
import h2.connection
import h2.events
import h2.settings

PAGE = b"This server speaks HTTP/2.\n"
TRAILERS = [("checksum", "27")]
Codes = h2.settings.SettingCodes
SETTINGS = {
    Codes.MAX_CONCURRENT_STREAMS: 1000,
    Codes.MAX_HEADER_LIST_SIZE: 65536,
    Codes.INITIAL_WINDOW_SIZE: 1 << 20,
}


class Connection:
    """Blocking, and of one thread: whatever waits to be sent leaves before more is received."""

    def __init__(self, sock, client_side, more_settings):
        config = h2.config.H2Configuration(client_side=client_side, header_encoding="utf-8")
        self.sock = sock
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings = h2.settings.Settings(client_side, {**SETTINGS, **more_settings})
        self.h2.max_inbound_frame_size = 16384
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(16 << 20)
        # By stream: iterators of pieces, and what follows upon them (fields or nothing; absent: not known yet).
        self.content = collections.defaultdict(collections.deque)
        self.following = {}

    def send(self, stream, data):
        self.content[stream].append(memoryview(data))

    def end(self, stream, trailers=None):
        self.following[stream] = trailers

    def forget(self, stream):
        self.content.pop(stream, None)
        self.following.pop(stream, None)

    def flush(self):
        """Sends what the windows allow."""
        for stream in [*self.content.keys() | self.following.keys()]:
            self._advance(stream)
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def _advance(self, stream):
        pieces = self.content[stream]
        while pieces:
            if not isinstance(pieces[0], memoryview):
                # A source of pieces.
                piece = next(pieces[0], None)
                if piece is None:
                    pieces.popleft()
                else:
                    pieces.appendleft(memoryview(piece))
                continue
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            piece = pieces.popleft()
            if len(piece) > room:
                pieces.appendleft(piece[room:])
            if room == 0:
                return
            if len(piece):
                self.h2.send_data(stream, bytes(piece[:room]))
        del self.content[stream]
        if stream in self.following:
            trailers = self.following.pop(stream)
            if trailers:
                self.h2.send_headers(stream, trailers, end_stream=True)
            else:
                self.h2.end_stream(stream)

    def receive(self):
        """What has come; nothing if the peer has ended the connection."""
        self.flush()
        data = self.sock.recv(1 << 16)
        if not data:
            return None
        events = self.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self._acknowledge(event)
            elif isinstance(event, h2.events.StreamReset):
                self.forget(event.stream_id)
        return events

    def _acknowledge(self, event):
        if event.flow_controlled_length:
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
