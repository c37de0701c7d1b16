"""The API of backfills: all that the page and the command line can do, as JSON. For admins with the flag."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from schoolhouse.accounts.people import Person
from schoolhouse.backfill.chunk_logs import RunKind, page_of_logs
from schoolhouse.backfill.requests import InventoryRequest, ManualRequest
from schoolhouse.backfill.runs import act_on_run, create_run, list_runs, read_run, retry_batch
from schoolhouse.web.access import Admin, require_flag
from schoolhouse.web.failures import ErrorBody
from schoolhouse.web.state import state_of

FLAG = "clickhouse-olap-bulk-ingest"
LARGEST_ID = 2**63 - 1

router = APIRouter(
    prefix="/api/backfill",
    tags=["backfill"],
    responses={"default": {"model": ErrorBody, "description": "What went wrong, and what to do."}},
)

RunId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Number of the run.")]
BatchId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="Number of the batch.")]
Row = dict[str, Any]


def bulk_admin(request: Request, person: Admin) -> Person:
    """An admin, where the flag is on for them."""
    require_flag(request, person, FLAG)
    return person


BulkAdmin = Annotated[Person, Depends(bulk_admin)]


@router.post("/manual/runs", status_code=201)
def create_manual_run(request: Request, wanted: ManualRequest, person: BulkAdmin) -> Row:
    """Make a run over the objects that match a pattern."""
    return create(request, wanted, person)


@router.post("/inventory/runs", status_code=201)
def create_inventory_run(request: Request, wanted: InventoryRequest, person: BulkAdmin) -> Row:
    """Make a run over the objects that a manifest of S3 Inventory lists."""
    return create(request, wanted, person)


@router.get("/{kind}/runs")
def read_runs(
    request: Request,
    kind: RunKind,
    _: BulkAdmin,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Only older ones than this.")] = None,
) -> list[Row]:
    """The newest runs."""
    return list_runs(state_of(request).database.engine, kind, limit=limit, before=before)


@router.get("/{kind}/runs/{run_id}")
def read_one_run(request: Request, kind: RunKind, run_id: RunId, _: BulkAdmin) -> Row:
    """One run; an inventory run with its batches."""
    return read_run(state_of(request).database.engine, kind, run_id)


@router.get("/{kind}/runs/{run_id}/logs")
def read_logs(
    request: Request,
    kind: RunKind,
    run_id: RunId,
    _: BulkAdmin,
    batch: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    after: Annotated[int | None, Query(ge=0, le=LARGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[Row]:
    """The logs of its chunks, the newest first; `before` and `after` page by their numbers."""
    engine = state_of(request).database.engine
    read_run(engine, kind, run_id)
    with engine.connect() as connection:
        return page_of_logs(connection, kind, run_id, batch_id=batch, before=before, after=after, limit=limit)


@router.post("/{kind}/runs/{run_id}/{deed}")
def act(
    request: Request,
    kind: RunKind,
    run_id: RunId,
    deed: Literal["pause", "resume", "cancel", "retry"],
    person: BulkAdmin,
) -> Row:
    """Pause, resume, cancel or retry a run."""
    return act_and_record(request, kind, run_id, deed, person)


@router.delete("/{kind}/runs/{run_id}")
def delete_run(request: Request, kind: RunKind, run_id: RunId, person: BulkAdmin) -> Row:
    """Delete the record of a run that has ended, not what it loaded; gives the run as it was."""
    return act_and_record(request, kind, run_id, "delete", person)


@router.post("/inventory/runs/{run_id}/batches/{batch_id}/retry")
def retry_one_batch(request: Request, run_id: RunId, batch_id: BatchId, person: BulkAdmin) -> Row:
    """Let a failed batch go on behind its last completed chunk."""
    run = retry_batch(state_of(request).database.engine, run_id, batch_id)
    state_of(request).database.audit.did(person.name, "backfill retry", f"inventory run {run_id}, batch {batch_id}")
    return run


def create(request: Request, wanted: ManualRequest | InventoryRequest, person: Person) -> Row:
    """Store a run and record who did."""
    state = state_of(request)
    run = create_run(state.database.engine, state.settings, wanted, initiated_by=person.name)
    kind = "manual" if isinstance(wanted, ManualRequest) else "inventory"
    state.database.audit.did(person.name, "backfill create", f"{kind} run {run['id']}")
    return run


def act_and_record(request: Request, kind: RunKind, run_id: int, deed: Any, person: Person) -> Row:
    """Act on a run and record who did."""
    state = state_of(request)
    run = act_on_run(state.database.engine, kind, run_id, deed)
    state.database.audit.did(person.name, f"backfill {deed}", f"{kind} run {run_id}")
    return run
