"""What the app holds while it runs; every request reaches it through `state_of`."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Engine
from starlette.requests import Request

from schoolhouse.accounts.audit import AuditLog
from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SectionDirectory
from schoolhouse.database import open_database
from schoolhouse.settings import Settings
from schoolhouse.web.assets import Assets


class AppDatabase:
    """The app's own database, opened when it is first needed, and the record of who saw and ran what."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: tuple[Engine, AuditLog] | None = None

    @property
    def engine(self) -> Engine:
        """The open database."""
        return self._open()[0]

    @property
    def audit(self) -> AuditLog:
        """The record of who saw and ran what."""
        return self._open()[1]

    def close(self) -> None:
        """Write what waits, and close."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened:
            opened[1].close()
            opened[0].dispose()

    def _open(self) -> tuple[Engine, AuditLog]:
        with self._lock:
            if self._opened is None:
                engine = open_database(self._settings)
                self._opened = engine, AuditLog(engine)
            return self._opened


@dataclass(frozen=True)
class AppState:
    """Settings, handles, the counted list, files for browsers, accounts, and the token of the operator's questions."""

    settings: Settings
    readers: Readers
    directory: SectionDirectory
    assets: Assets
    database: AppDatabase
    operator_token: str


def state_of(request: Request) -> AppState:
    """The state of the app that answers this request."""
    return cast(AppState, request.app.state.schoolhouse)
