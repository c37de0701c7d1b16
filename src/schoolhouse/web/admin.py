"""The admin pages: the warehouse, its loads, rejects and migrations; the upload pipeline; the record of acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from schoolhouse.accounts.people import Person
from schoolhouse.analytics.operations import read_load, read_rejected_line, warehouse_state
from schoolhouse.collect.pipeline import pipeline_stats
from schoolhouse.errors import UsageError
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.web.access import Admin, require_flag
from schoolhouse.web.live import live_response
from schoolhouse.web.state import state_of
from schoolhouse.web.templates import render, rendered

router = APIRouter(prefix="/admin", include_in_schema=False)

_SEE_OTHER: Final = 303
_ENTRIES: Final = 200
# What the page of the upload pipeline tells, in this order.
_PIPELINE_LABELS: Final = {
    "queued": "Bundles waiting",
    "in_flight": "Bundles being uploaded",
    "retrying": "Bundles to be tried again",
    "accepted": "Bundles accepted so far",
    "delivered": "Bundles delivered so far",
    "delivered_batches": "Batches delivered so far",
    "delivered_statements": "Statements delivered so far",
    "failed_attempts": "Attempts that failed so far",
    "accepted_per_second": "Statements accepted a second, over five minutes",
    "delivered_per_second": "Statements delivered a second, over five minutes",
}


def _operator(request: Request, person: Admin) -> Person:
    require_flag(request, person, "clickhouse-olap")
    return person


Operator = Annotated[Person, Depends(_operator)]


@router.get("")
def admin(_: Admin) -> Response:
    """The first of the admin pages."""
    return RedirectResponse("/admin/clickhouse")


@router.get("/clickhouse")
def clickhouse(request: Request, person: Operator) -> Response:
    """The warehouse: health, sizes, slow questions, migrations, loads and rejects."""
    return render(request, "admin_clickhouse.html", _clickhouse_facts(request, person))


@router.get("/clickhouse/live")
def clickhouse_live(request: Request, person: Operator) -> Response:
    """The part of that page that changes, as a stream."""
    return live_response(lambda: rendered(request, "admin_clickhouse_part.html", _clickhouse_facts(request, person)))


@router.get("/clickhouse/migrate")
def migration_plan(request: Request, person: Operator) -> Response:
    """What migrating would run, and the button that runs it."""
    found = warehouse_state(state_of(request).readers, who=person.name)
    return render(request, "admin_migrate.html", {"pending": found.pending})


@router.post("/clickhouse/migrate")
def migrate(request: Request, person: Operator, confirmed: Annotated[str, Form(max_length=100)] = "") -> Response:
    """Run the migrations of the plan that was confirmed: its last version stands in the form."""
    state = state_of(request)
    with open_warehouse(state.settings, who=person.name) as warehouse:
        waiting = migrations.pending(warehouse)
        last = f"{waiting[-1].version:04}_{waiting[-1].name}" if waiting else ""
        if confirmed != last:
            raise UsageError("The plan has changed since it was shown.", hint="Look at it again.")
        done = migrations.up(warehouse)
    names = ", ".join(f"{migration.version:04}_{migration.name}" for migration in done)
    state.database.audit.did(person.name, "migrate", detail=names)
    return RedirectResponse("/admin/clickhouse", _SEE_OTHER)


@router.get("/clickhouse/loads/{load_id}")
def load(request: Request, person: Operator, load_id: int) -> Response:
    """One load, and the lines that it rejected."""
    found, rejects = read_load(state_of(request).readers, load_id, who=person.name)
    return render(request, "admin_load.html", {"load": found, "rejects": rejects})


@router.get("/clickhouse/loads/{load_id}/lines/{source_line}")
def rejected_line(request: Request, person: Operator, load_id: int, source_line: int) -> Response:
    """A rejected line as it came. It may name a learner, so the look is recorded."""
    state = state_of(request)
    lines = read_rejected_line(state.readers, load_id, source_line, who=person.name)
    state.database.audit.did(person.name, "view line", f"load {load_id}", f"line {source_line}")
    return render(request, "admin_line.html", {"load_id": load_id, "source_line": source_line, "lines": lines})


@router.get("/xapi_upload_pipeline")
def upload_pipeline(request: Request, _: Admin) -> Response:
    """The upload pipeline: what waits, what was delivered, what failed."""
    return render(request, "admin_pipeline.html", _pipeline_facts(request))


@router.get("/xapi_upload_pipeline/live")
def upload_pipeline_live(request: Request, _: Admin) -> Response:
    """The numbers of that page, as a stream."""
    return live_response(lambda: rendered(request, "admin_pipeline_part.html", _pipeline_facts(request)))


@router.get("/audit")
def audit(
    request: Request,
    _: Admin,
    who: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=40)] = "",
    before: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """Who saw and ran what, the newest first, a page at a time."""
    who, action = who.strip().lower(), action.strip().lower()  # as names of accounts and acts are kept
    entries = state_of(request).database.audit.entries(limit=_ENTRIES + 1, who=who, action=action, before=before)
    rows = [(_time(entry.at), entry) for entry in entries[:_ENTRIES]]
    chosen = {name: value for name, value in (("who", who), ("action", action)) if value}
    facts = {
        "rows": rows,
        "who": who,
        "action": action,
        "newest": f"?{urlencode(chosen)}" if before else "",
        "older": f"?{urlencode(chosen | {'before': rows[-1][1].id})}" if len(entries) > _ENTRIES else "",
    }
    return render(request, "admin_audit.html", facts)


def _clickhouse_facts(request: Request, person: Person) -> dict[str, Any]:
    state = state_of(request)
    found = warehouse_state(state.readers, who=person.name)
    slow = [(_time(question.at), question) for question in state.readers.slow.slowest()]
    started_at = found.health["server_time"] - timedelta(seconds=int(found.health["uptime_seconds"]))
    # To the minute, so that the page stays as it is while nothing happens.
    return {"found": found, "slow": slow, "where": _where(request), "started_at": started_at.replace(second=0)}


def _where(request: Request) -> str:
    settings = state_of(request).settings
    if settings.is_embedded:
        return "the embedded engine"
    return f"{settings.clickhouse_host}:{settings.clickhouse_port}"


def _pipeline_facts(request: Request) -> dict[str, Any]:
    stats = pipeline_stats(state_of(request).settings)
    return {"stats": stats, "labels": _PIPELINE_LABELS}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
