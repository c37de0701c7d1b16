"""What the app holds while it runs; every request reaches it through `state_of`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import SectionDirectory
from schoolhouse.settings import Settings
from schoolhouse.web.assets import Assets


@dataclass(frozen=True)
class AppState:
    """Settings, handles, the counted list, files for browsers, and the token of the operator's questions."""

    settings: Settings
    readers: Readers
    directory: SectionDirectory
    assets: Assets
    operator_token: str


def state_of(request: Request) -> AppState:
    """The state of the app that answers this request."""
    return cast(AppState, request.app.state.schoolhouse)
