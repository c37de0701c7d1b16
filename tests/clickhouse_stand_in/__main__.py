"""`python -m tests.clickhouse_stand_in --path DIRECTORY`: serve until told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from tests.clickhouse_stand_in.engine import Engine
from tests.clickhouse_stand_in.protocol import StandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.clickhouse_stand_in")
    parser.add_argument("--path", type=Path, required=True, help="directory of the engine")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()

    def stop(*_: object) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    engine = Engine(str(options.path.resolve()))
    with StandIn(engine, options.port) as server:
        if options.stop_with_stdin:
            threading.Thread(target=stop_with_stdin, args=(server,), daemon=True).start()
        print(server.server_address[1], flush=True)
        server.serve_forever(poll_interval=0.1)
    engine.close()


def stop_with_stdin(server: StandIn) -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not sys.stdin.read: its lock would hinder a stop by signal
        pass
    server.shutdown()


if __name__ == "__main__":
    main()
