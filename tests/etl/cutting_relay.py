"""Passes connections on to a server of 127.0.0.1 and cuts some of them in the middle, as a network does."""

from __future__ import annotations

import random
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

FIRST_CUTS = 3
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass
class CuttingRelay:
    """Of every three connections two are cut after so many bytes, counted both ways, until `cuts_left` is used up.

    The first ones are all cut: one that is not is kept by its client, which may need no other.
    """

    target_port: int
    cuts_left: int
    least_bytes: int
    most_bytes: int
    generator: random.Random
    port: int = 0
    cuts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def budget(self) -> float:
        """Bytes that the next connection may carry."""
        with self._lock:
            if self.cuts_left <= 0 or (self.cuts >= FIRST_CUTS and self.generator.random() < 1 / 3):
                return float("inf")
            return self.generator.randint(self.least_bytes, self.most_bytes)

    def note_cut(self) -> None:
        with self._lock:
            self.cuts_left -= 1
            self.cuts += 1


@contextmanager
def cutting(relay: CuttingRelay) -> Iterator[CuttingRelay]:
    """The relay at work on a free port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.left = relay.budget()
            with suppress(OSError), socket.create_connection(("127.0.0.1", relay.target_port)) as onward:
                back = threading.Thread(target=self.pump, args=(onward, self.request), daemon=True)
                back.start()
                self.pump(self.request, onward)
                back.join()

        def pump(self, source: socket.socket, goal: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(16_384):
                    before, self.left = self.left, self.left - len(data)
                    if self.left < 0:
                        if before >= 0:
                            relay.note_cut()
                        for end in (source, goal):
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                            end.shutdown(socket.SHUT_RDWR)
                        return
                    goal.sendall(data)
                goal.shutdown(socket.SHUT_WR)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        relay.port = server.server_address[1]
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
