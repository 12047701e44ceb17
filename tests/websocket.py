"""As much of RFC 6455 as it takes to listen: a handshake, then unmasked text frames from the server."""

import base64
import json
import os
import socket
import struct
from urllib.parse import urlencode, urlsplit


class WebSocket:
    def __init__(self, url, params, timeout=10.0):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {parts.path}?{urlencode(params)} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.sendall(request.encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = head.split(b"\r\n")[0]
        assert b" 101 " in status, f"no websocket: {status} {self.buffer[:300]}"

    def json(self):
        """The next text message; pings are passed over."""
        while True:
            first, second = self._take(2)
            opcode, length = first & 0x0F, second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._take(8))
            payload = self._take(length)
            if opcode == 1:
                return json.loads(payload)
            assert opcode != 8, f"closed: {payload!r}"

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _more(self):
        piece = self.socket.recv(65_536)
        if not piece:
            raise ConnectionError("the server hung up")
        self.buffer += piece

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
