"""`python -m tests.backfill.relay PORT TARGET`: passes connections on from one port of 127.0.0.1 to another.

A test kills it and starts it again: to its clients the server behind it has died and come back, its data kept.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from contextlib import suppress


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Relay(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as onward:
            back = threading.Thread(target=pump, args=(onward, self.request), daemon=True)
            back.start()
            pump(self.request, onward)
            back.join()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Relay) as server:
        print("ready", flush=True)
        server.serve_forever()
