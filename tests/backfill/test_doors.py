"""Every act of an operator by each of the three doors: command, API and page. All have the same effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine, insert, update

from schoolhouse.backfill.runs import list_runs, read_run
from schoolhouse.backfill.tables import TABLES, batches, clock, moment, transaction
from schoolhouse.errors import NotFound
from schoolhouse.settings import Settings
from tests.cli.shell import Shell
from tests.web.visitors import PeopledSite, peopled

MANUAL = {"s3_pattern": "s3://bucket/section/**", "chunk_size": 7, "format": "JSONAsString", "max_attempts": 2}
INVENTORY = {
    "manifest_url": "s3://bucket/manifest.json",
    "date_range_start": "2024-01-01T00:00:00",
    "key_prefix": "section/",
    "section_ids": ["3", "4"],
    "batch_chunk_size": 9,
    "manifest_page_size": 50,
    "max_simultaneous_batches": 3,
    "max_batch_attempts": 2,
}


WORDS = {
    "chunk_size": "--chunk-size",
    "format": "--format",
    "max_attempts": "--max-attempts",
    "manifest_url": "--manifest",
    "date_range_start": "--start",
    "key_prefix": "--prefix",
    "section_ids": "--section",
    "batch_chunk_size": "--chunk-size",
    "manifest_page_size": "--page-size",
    "max_simultaneous_batches": "--simultaneous",
    "max_batch_attempts": "--max-attempts",
}


class Door(Protocol):
    """A way in for an operator."""

    def create(self, kind: str, values: dict[str, Any]) -> None: ...

    def act(self, kind: str, run: int, deed: str) -> None: ...

    def retry_batch(self, run: int, batch: int) -> None: ...


class Command:
    """`schoolhouse backfill …`, as it is typed."""

    def __init__(self, directory: Path) -> None:
        database = f"sqlite:///{directory / 'accounts.sqlite'}"
        self._shell = Shell(directory, DATABASE_URL=database, SCHOOLHOUSE_DATA_DIR=str(directory))

    def create(self, kind: str, values: dict[str, Any]) -> None:
        words = [values["s3_pattern"]] if kind == "manual" else []
        for name, value in values.items():
            for each in value if isinstance(value, list) else [value]:
                words += [WORDS[name], str(each)] if name in WORDS else []
        self._shell.json("backfill", kind, "create", *words, *(["--dry-run"] if values.get("dry_run") else []))

    def act(self, kind: str, run: int, deed: str) -> None:
        self._shell.json("backfill", kind, deed, str(run))

    def retry_batch(self, run: int, batch: int) -> None:
        self._shell.json("backfill", "inventory", "retry", str(run), "--batch", str(batch))


class Api:
    """`/api/backfill`, with a token."""

    def __init__(self, people: PeopledSite) -> None:
        self._people = people

    def _send(self, method: str, path: str, body: Any = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        address = f"/api/backfill/{path}"
        reply = self._people.request("root", method, address, data, Content_Type="application/json")
        assert reply.status in {200, 201}, reply.text

    def create(self, kind: str, values: dict[str, Any]) -> None:
        self._send("POST", f"{kind}/runs", values)

    def act(self, kind: str, run: int, deed: str) -> None:
        path = f"{kind}/runs/{run}"
        self._send(*(("DELETE", path) if deed == "delete" else ("POST", f"{path}/{deed}")))

    def retry_batch(self, run: int, batch: int) -> None:
        self._send("POST", f"inventory/runs/{run}/batches/{batch}/retry")


class Page:
    """The page's forms and buttons, as a browser sends them."""

    def __init__(self, people: PeopledSite) -> None:
        self._people = people

    def _send(self, path: str, form: dict[str, Any]) -> None:
        body = urlencode(form).encode()
        headers = {"Content_Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        reply = self._people.request("root", "POST", f"/admin/clickhouse/backfill/{path}", body, **headers)
        assert reply.status == 303, reply.text

    def create(self, kind: str, values: dict[str, Any]) -> None:
        form = {name: " ".join(value) if isinstance(value, list) else value for name, value in values.items()}
        self._send(kind, form)

    def act(self, kind: str, run: int, deed: str) -> None:
        self._send(f"{kind}/{run}/{deed}", {})

    def retry_batch(self, run: int, batch: int) -> None:
        self._send(f"inventory/{run}/batches/{batch}/retry", {})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("doors")


@pytest.fixture(scope="module")
def people(campus_settings: Settings, directory: Path) -> Iterator[PeopledSite]:
    with peopled(campus_settings.model_copy(update={"backfill_workers": 0}), directory) as site:
        yield site


@pytest.fixture(params=["command", "api", "page"])
def door(request: pytest.FixtureRequest, people: PeopledSite, directory: Path) -> Door:
    return {"command": Command(directory), "api": Api(people), "page": Page(people)}[request.param]


def newest(engine: Engine, kind: Any) -> dict[str, Any]:
    return list_runs(engine, kind, limit=1)[0]


def become(engine: Engine, kind: Any, number: int, status: str) -> None:
    """As if a worker had brought it there."""
    with transaction(engine) as connection:
        table = TABLES[kind]
        connection.execute(update(table).where(table.c.id == number).values(status=status))


@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize(("kind", "values"), [("manual", MANUAL), ("inventory", INVENTORY)])
def test_a_run_is_made_as_it_was_asked_for(
    door: Door, people: PeopledSite, kind: str, values: dict[str, Any], is_dry: bool
) -> None:
    door.create(kind, values | ({"dry_run": True} if is_dry else {}))
    run = newest(people.engine, kind)
    assert (run["status"], run["dry_run"]) == ("pending", is_dry)
    stored = {name: run[name] for name in values if name != "date_range_start"}
    assert stored == {name: value for name, value in values.items() if name != "date_range_start"}
    if kind == "inventory":
        assert run["date_range_start"].isoformat() == "2024-01-01T00:00:00+00:00"


def test_a_manual_run_is_cancelled_retried_and_deleted(door: Door, people: PeopledSite) -> None:
    door.create("manual", MANUAL)
    run = newest(people.engine, "manual")["id"]
    become(people.engine, "manual", run, "failed")
    door.act("manual", run, "retry")
    assert read_run(people.engine, "manual", run)["status"] == "pending"
    become(people.engine, "manual", run, "running")
    door.act("manual", run, "cancel")
    assert read_run(people.engine, "manual", run)["status"] == "cancelled"
    door.act("manual", run, "delete")
    with pytest.raises(NotFound):
        read_run(people.engine, "manual", run)


def test_an_inventory_run_is_paused_resumed_retried_cancelled_and_deleted(door: Door, people: PeopledSite) -> None:
    door.create("inventory", INVENTORY)
    run = newest(people.engine, "inventory")["id"]
    with transaction(people.engine) as connection:
        batch = {"run_id": run, "parquet_key": "data", "created_at": moment(clock(connection))}
        rows = [{**batch, "sequence": place, "status": status} for place, status in ((1, "queued"), (2, "failed"))]
        connection.execute(insert(batches), rows)

    def states() -> list[str]:
        found = read_run(people.engine, "inventory", run)
        return [found["status"], *(each["status"] for each in found["batches"])]

    become(people.engine, "inventory", run, "running")
    door.act("inventory", run, "pause")
    assert states() == ["paused", "paused", "failed"]
    door.act("inventory", run, "resume")
    assert states() == ["running", "queued", "failed"]
    door.retry_batch(run, read_run(people.engine, "inventory", run)["batches"][1]["id"])
    assert states() == ["running", "queued", "queued"]
    for each in read_run(people.engine, "inventory", run)["batches"]:
        become(people.engine, "batch", each["id"], "failed")
    become(people.engine, "inventory", run, "failed")
    door.act("inventory", run, "retry")
    assert states() == ["running", "queued", "queued"]
    door.act("inventory", run, "cancel")
    assert states() == ["cancelled", "cancelled", "cancelled"]
    door.act("inventory", run, "delete")
    with pytest.raises(NotFound):
        read_run(people.engine, "inventory", run)
