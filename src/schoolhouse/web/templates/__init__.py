"""The templates, and how they are rendered: Jinja2 with escaping on, and a few filters for numbers and times."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schoolhouse.analytics.overview import type_name


def render(
    request: Request, template: str, facts: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A page. Templates reach style sheets and scripts through `asset('name')`, and know who asks."""
    return HTMLResponse(rendered(request, template, facts), status_code=status, headers=headers)


def rendered(request: Request, template: str, facts: dict[str, Any]) -> str:
    """The text of a page, or of a part of one."""
    assets = request.app.state.schoolhouse.assets
    shared = {"asset": assets.address, "person": getattr(request.state, "person", None)}
    return _environment().get_template(template).render({**shared, **facts})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        number=_number, time=_time, type_name=type_name, milliseconds=_milliseconds, percent=_percent, size=_size
    )
    return environment


def _source(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _number(value: int) -> str:
    return f"{value:,}"


def _size(size_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.1%}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _time(value: datetime | None, *, with_clock: bool = True) -> Markup | str:
    """A time as people read it, UTC, marked up for machines; a dash for none."""
    if value is None:
        return Markup('<span class="none" title="none">–</span>')
    text = f"{value.day} {value:%b %Y}" + (f", {value:%H:%M}" if with_clock else "")
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        f"{value:%Y-%m-%dT%H:%M:%SZ}", f"{value:%Y-%m-%d %H:%M:%S}", text
    )
