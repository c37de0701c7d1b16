"""The page of backfills: forms, runs as cards, batches, and the logs of chunks as they come.

One stream of events a page tells that a run or its logs have changed; the page then asks for the part that changed,
ready as HTML. So what a visitor sees is always what the tables say, and a broken stream costs nothing but its
liveliness.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response

from schoolhouse.backfill.chunk_logs import RunKind, page_of_logs
from schoolhouse.backfill.requests import CLICKHOUSE_SETTINGS, InventoryRequest, ManualRequest, problems_of
from schoolhouse.backfill.runs import Deed, list_runs, read_run, retry_batch
from schoolhouse.backfill.tables import chunk_logs
from schoolhouse.errors import SchoolhouseError
from schoolhouse.web.backfill_api import LARGEST_ID, BatchId, BulkAdmin, RunId, act_and_record, create
from schoolhouse.web.live import event_stream
from schoolhouse.web.state import AppState, state_of
from schoolhouse.web.templates import render

PAGE: Final = "/admin/clickhouse/backfill"

router = APIRouter(prefix=PAGE, include_in_schema=False)

_LOOK_SECONDS: Final = 1.0
_QUIET_LOOKS: Final = 15  # then a comment keeps the connection open
_FLAGS: Final = frozenset({"dry_run", "force", "optimize"})
_OBJECTS: Final = frozenset({"clickhouse_settings", "options"})


@router.get("")
def page(request: Request, person: BulkAdmin, tab: RunKind = "manual") -> Response:
    """The page, with one of its tabs."""
    return _page(request, tab, {}, {})


@router.get("/runs")
def runs(request: Request, person: BulkAdmin, tab: RunKind = "manual") -> Response:
    """The list of runs alone."""
    return render(request, "backfill_runs.html", _runs(request, tab))


@router.get("/events")
def events(request: Request, person: BulkAdmin, tab: RunKind = "manual") -> Response:
    """The stream that tells which runs and logs have changed."""
    return event_stream(_events(request, tab))


@router.post("/{kind}")
async def create_run(request: Request, kind: RunKind, person: BulkAdmin) -> Response:
    """Make a run; or the form again, with what is wrong beside each field."""
    given = await request.form()
    values, problems = form_values(kind, given)
    if not problems:
        try:
            wanted = (ManualRequest if kind == "manual" else InventoryRequest).model_validate(values)
            await run_in_threadpool(create, request, wanted, person)
        except ValidationError as error:
            problems = problems_of(error)
        except SchoolhouseError as error:
            problems = {"s3_pattern" if kind == "manual" else "manifest_url": str(error)}
    if not _is_partial(request):
        if not problems:
            return RedirectResponse(f"{PAGE}?tab={kind}", 303)
        return await run_in_threadpool(_page, request, kind, dict(given), problems, 422)
    facts = _form(kind, dict(given) if problems else {}, problems)
    headers = {} if problems else {"HX-Trigger": "runs-changed"}
    return render(request, "backfill_form.html", facts, 422 if problems else 200, headers)


@router.get("/{kind}/{run_id}")
def facts(request: Request, kind: RunKind, run_id: RunId, person: BulkAdmin) -> Response:
    """What changes of a run's card."""
    run = read_run(state_of(request).database.engine, kind, run_id)
    return render(request, "backfill_facts.html", {"kind": kind, "run": run})


@router.get("/{kind}/{run_id}/logs")
def logs(
    request: Request,
    kind: RunKind,
    run_id: RunId,
    person: BulkAdmin,
    batch: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
) -> Response:
    """Entries of a log, the newest first."""
    with state_of(request).database.engine.connect() as connection:
        found = page_of_logs(connection, kind, run_id, batch_id=batch, before=before, after=after, limit=limit)
    return render(request, "backfill_logs.html", {"logs": found})


@router.post("/{kind}/{run_id}/{deed}")
def act(request: Request, kind: RunKind, run_id: RunId, deed: Deed, person: BulkAdmin) -> Response:
    """Pause, resume, cancel, retry or delete a run."""
    try:
        run = act_and_record(request, kind, run_id, deed, person)
    except SchoolhouseError as error:
        if not _is_partial(request):
            raise
        run = read_run(state_of(request).database.engine, kind, run_id)
        return render(request, "backfill_facts.html", {"kind": kind, "run": run, "refusal": error.message})
    if not _is_partial(request):
        return RedirectResponse(f"{PAGE}?tab={kind}", 303)
    if deed == "delete":
        return HTMLResponse("", headers={"HX-Trigger": "runs-changed"})
    return render(request, "backfill_facts.html", {"kind": kind, "run": run})


@router.post("/inventory/{run_id}/batches/{batch_id}/retry")
def retry(request: Request, run_id: RunId, batch_id: BatchId, person: BulkAdmin) -> Response:
    """Let a failed batch go on."""
    state = state_of(request)
    run = retry_batch(state.database.engine, run_id, batch_id)
    state.database.audit.did(person.name, "backfill retry", f"inventory run {run_id}, batch {batch_id}")
    if not _is_partial(request):
        return RedirectResponse(f"{PAGE}?tab=inventory", 303)
    return render(request, "backfill_facts.html", {"kind": "inventory", "run": run})


def form_values(kind: RunKind, given: FormData) -> tuple[dict[str, Any], dict[str, str]]:
    """What a form says, as the values of a request; and what cannot be read of it."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, raw in given.items():
        text = str(raw).strip()
        if name in _OBJECTS:
            try:
                values[name] = json.loads(text or "{}")
            except (ValueError, RecursionError):
                problems[name] = 'is no JSON object, such as {"max_threads": 4}'
        elif name == "section_ids":
            values[name] = text.replace(",", " ").split()
        elif text:
            values[name] = True if name in _FLAGS else text
    if kind == "manual":
        values.setdefault("optimize", False)
    return values, problems


def _page(
    request: Request, tab: RunKind, given: dict[str, Any], problems: dict[str, str], status: int = 200
) -> Response:
    facts = {
        **_runs(request, tab),
        **_form(tab, given, problems),
        "htmx": state_of(request).assets.address("htmx.min.js"),
    }
    return render(request, "backfill.html", facts, status)


def _runs(request: Request, tab: RunKind) -> dict[str, Any]:
    engine = state_of(request).database.engine
    found = list_runs(engine, tab)
    if tab == "inventory":
        found = [read_run(engine, tab, run["id"]) for run in found]
    return {"kind": tab, "runs": found}


def _form(kind: RunKind, given: dict[str, Any], problems: dict[str, str]) -> dict[str, Any]:
    fields = (ManualRequest if kind == "manual" else InventoryRequest).model_fields
    values = {
        name: given.get(name, "") if given else _default(field.get_default(call_default_factory=True))
        for name, field in fields.items()
    }
    return {
        "kind": kind,
        "values": values,
        "problems": problems,
        "hints": {name: field.description or "" for name, field in fields.items()},
        "setting_names": sorted(CLICKHOUSE_SETTINGS),
    }


def _default(value: Any) -> Any:
    return "" if value is None or not isinstance(value, int | str) else value


def _is_partial(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"


async def _events(request: Request, tab: RunKind) -> AsyncIterator[str]:
    """Which runs have changed since the last look, and which have new logs."""
    state = state_of(request)
    seen: dict[int, Any] | None = None
    newest: dict[int, int] = {}
    quiet = 0
    yield "retry: 2000\n\n"
    while not await request.is_disconnected():
        versions, logged = await run_in_threadpool(_look, state, tab)
        told = []
        if seen is not None:
            if set(versions) != set(seen):
                told.append(f"event: runs\ndata: {len(versions)}\n\n")
            changed = [run for run, version in versions.items() if run in seen and seen[run] != version]
            told += [f"event: run\ndata: {run}\n\n" for run in changed]
            told += [f"event: log\ndata: {run}\n\n" for run, last in logged.items() if newest.get(run) != last]
        seen, newest = versions, logged
        quiet = 0 if told else quiet + 1
        for each in told:
            yield each
        if quiet >= _QUIET_LOOKS:
            quiet = 0
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK_SECONDS)


def _look(state: AppState, tab: RunKind) -> tuple[dict[int, Any], dict[int, int]]:
    engine = state.database.engine
    names = (
        "status",
        "processed_objects",
        "attempts",
        "error",
        "total_objects",
        "live",
        "running_batches",
        "paused_at",
    )
    counted = ("pending_batches", "completed_batches", "failed_batches", "rows_written")
    found = list_runs(engine, tab)
    versions = {run["id"]: [run.get(name) for name in (*names, *counted)] for run in found}
    column = chunk_logs.c.manual_run_id if tab == "manual" else chunk_logs.c.run_id
    question = select(column, func.max(chunk_logs.c.id)).where(column.in_(list(versions))).group_by(column)
    with engine.connect() as connection:
        return versions, {int(run): int(last) for run, last in connection.execute(question)}
