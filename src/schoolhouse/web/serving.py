"""Runs the app: checks the warehouse, listens, announces itself, and stops cleanly."""

from __future__ import annotations

import gc
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from schoolhouse.accounts.people import has_accounts
from schoolhouse.backfill.worker import Worker
from schoolhouse.database import open_database
from schoolhouse.errors import UsageError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.warehouse.migrations import require_current
from schoolhouse.web.access import is_open_without_accounts
from schoolhouse.web.app import create_app
from schoolhouse.web.running import announced

log = logging.getLogger(__name__)

# Open answers (downloads, event streams) get this long to end when the server stops.
_GRACE_SECONDS: Final = 5
_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until the process is told to stop; `announce` gets the address once it answers.

    Raises:
        WarehouseNotReady: there is no warehouse, or migrations are pending.
        WarehouseBusy: another process holds the embedded warehouse.
        UsageError: the address cannot be listened on, or it reaches beyond this machine and nobody has an account.
    """
    # One handle stays open, so that the embedded engine does not stop and start between questions.
    with open_warehouse(settings, role="reader", who="serve") as warehouse:
        require_current(warehouse)
        with _listen(settings.web_host, settings.web_port) as listener:
            _require_accounts(settings)
            _run(settings, listener, announce)


def _require_accounts(settings: Settings) -> None:
    """Without accounts everybody who reaches the pages is the operator, so nobody but this machine may reach them."""
    if is_open_without_accounts(settings):
        return
    engine = open_database(settings)
    try:
        if not has_accounts(engine):
            raise UsageError(
                "There are no accounts yet, and the pages would be reached from beyond this machine.",
                hint="Make one first: `schoolhouse user add NAME --role admin`. Or listen on 127.0.0.1.",
            )
    finally:
        engine.dispose()


def server_for(app: FastAPI) -> uvicorn.Server:
    """The server as we run it: our logs, no banner, and an end to waiting when it stops."""
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def spare_the_collector() -> None:
    """Keep the garbage collector from walking through what startup made, which stays, and from starting in mid-request.

    Reading a hundred statements makes and drops a thousand objects. With Python's own threshold (700) that started the
    collector with every request, and its walks through everything took a sixth of the interpreter's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def _run(settings: Settings, listener: socket.socket, announce: Callable[[str], None]) -> None:
    token = secrets.token_urlsafe(32)
    app = create_app(settings, operator_token=token)
    app.state.schoolhouse.assets.make_vega_in_background()
    address = _address(settings.web_host, listener)
    # uvicorn raises the signal that stopped it again when it is done: as an exit, not as a sudden death.
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        with announced(settings, address, token), backfill_workers(settings):
            announce(address)
            spare_the_collector()
            server_for(app).run(sockets=[listener])
    except KeyboardInterrupt:
        log.info("stopped")
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def backfill_workers(settings: Settings) -> Iterator[None]:
    """The workers of backfills, for the time of the block."""
    if not settings.backfill_workers:
        yield
        return
    engine = open_database(settings)
    worker = Worker(engine, settings, threads=settings.backfill_workers)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        worker.join()
        engine.dispose()


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}.",
            hint="Choose another --port (0 finds a free one), or stop what listens there; --host is an address of this "
            "machine.",
        ) from None


def _address(host: str, listener: socket.socket) -> str:
    """The address to open on this machine."""
    port = listener.getsockname()[1]
    host = "127.0.0.1" if host in _ANY_ADDRESS else host.strip("[]")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
