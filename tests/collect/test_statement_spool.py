"""The statements resource where statements travel as bundles: safe before the answer, and in conflict at once."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.collect.bundles import parse_key
from schoolhouse.collect.pipeline import pipeline_stats
from schoolhouse.errors import StatementConflict
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.loads import start_load
from tests.collect.statements import SMALL, changed, new_statement
from tests.collect.xapi_site import Site, serving


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Bundles go into files, soon; there is no warehouse."""
    return load_settings(data_dir=tmp_path / "data", etl_mode="file", batch_timeout_ms=20)


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    with serving(settings) as served:
        yield served


def lines_of(settings: Settings) -> list[dict[str, Any]]:
    """The statements of all bundles."""
    files = sorted(settings.bundles_dir.rglob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_what_was_answered_is_in_a_bundle_of_its_section_once(settings: Settings) -> None:
    other = new_statement(context={"extensions": {"http://oli.cmu.edu/extensions/section_id": "7"}})
    statements = [new_statement(), new_statement(), other, new_statement(context={"platform": "web"})]
    with serving(settings) as site:
        posted = site.post(statements)
        assert (posted.status, posted.json) == (200, [one["id"] for one in statements])
        assert site.put(str(uuid.uuid4()), changed("id", ..., new_statement())).status == 204
    lines = lines_of(settings)
    assert len(lines) == len({line["id"] for line in lines}) == 5
    assert all(line["stored"] and line["authority"]["account"]["name"] == "tests" for line in lines)
    keys = [parse_key(str(file.relative_to(settings.bundles_dir))) for file in settings.bundles_dir.rglob("*.jsonl")]
    assert {str(key.group) for key in keys if key} == {f"section/{n}/xapi" for n in (0, 7, 42)}


def test_the_answer_comes_when_the_statements_are_on_the_disk(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bundles").write_text("a file, where a directory should be")
    with serving(settings.model_copy(update={"drain_seconds": 0})) as site:
        assert site.post([new_statement() for _ in range(3)]).status == 200
    assert pipeline_stats(settings)["queued"] + pipeline_stats(settings)["retrying"] == 1
    (tmp_path / "data" / "bundles").unlink()
    with serving(settings):
        pass
    assert len(lines_of(settings)) == 3


def test_a_full_spool_is_answered_with_try_again_and_nothing_is_promised(settings: Settings) -> None:
    full = settings.model_copy(update={"spool_max_bytes": 10_000})
    with serving(full) as site:
        refused = site.post([new_statement() for _ in range(100)])
        assert refused.status == 503
        assert refused.headers["retry-after"]
        assert site.post(new_statement()).status == 200
    assert len(lines_of(settings)) == 1


def test_a_conflict_is_told_before_the_warehouse_has_anything(site: Site, settings: Settings) -> None:
    statement = new_statement()
    assert site.post(statement).status == 200
    assert site.post(changed("stored", "2026-01-01T00:00:00Z", statement)).status == 200
    refused = site.post([new_statement(), changed("verb.id", "http://h.example/other", statement)])
    assert refused.status == 409
    assert statement["id"] in refused.reason
    assert site.post(changed("timestamp", "2026-08-01T12:00:01Z", statement)).status == 409
    assert {line["id"] for line in lines_of(settings)} <= {statement["id"]}


def test_what_is_sent_again_is_answered_alike_and_carried_once(settings: Settings) -> None:
    timeless, posted, put = (changed("timestamp", ..., new_statement()) for _ in range(3))
    other = new_statement()
    with serving(settings) as site:
        for body in ([timeless, posted], [timeless, posted], posted, [other, timeless]):
            sent = body if isinstance(body, list) else [body]
            assert (answer := site.post(body)).status == 200
            assert answer.json == [one["id"] for one in sent]
            assert site.put(put["id"], put).status == 204
    lines = lines_of(settings)
    assert sorted(line["id"] for line in lines) == sorted(one["id"] for one in (timeless, posted, put, other))
    assert pipeline_stats(settings)["delivered_statements"] == 4


def test_of_requests_that_repeat_one_another_at_the_same_moment_one_is_carried(settings: Settings) -> None:
    statements = [changed("timestamp", ..., new_statement()) for _ in range(5)]
    with serving(settings) as site, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(site.post, [statements] * 16))
    assert {answer.status for answer in answers} == {200}
    assert len(lines_of(settings)) == 5


def test_of_two_handles_on_one_spool_that_bring_an_id_exactly_one_wins(settings: Settings) -> None:
    from schoolhouse.collect.statement_spool import StatementSpool
    from schoolhouse.collect.statement_store import Request, receive
    from schoolhouse.collect.validation import read_statement

    ids = [str(uuid.uuid4()) for _ in range(40)]
    wins: list[str] = []
    losses: list[str] = []
    barrier = threading.Barrier(2)

    def work(learner: str) -> None:
        spool = StatementSpool(settings)
        for one in ids:
            raw = json.dumps(new_statement(id=one, actor={"mbox": f"mailto:{learner}@h.example"})).encode()
            incoming = receive(raw, read_statement(raw), max_bytes=100_000)
            barrier.wait(timeout=60)
            try:
                spool.add(Request((incoming,), b"{}"))
                wins.append(one)
            except StatementConflict:
                losses.append(one)
        spool.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == sorted(losses) == sorted(ids)
    assert sorted(line["id"] for line in lines_of(settings)) == sorted(ids)


def test_an_id_that_the_warehouse_has_is_known(tables: Warehouse, tmp_path: Path) -> None:
    statement = new_statement()
    with start_load(tables, route="file", source="f") as load:
        load.add_lines(json.dumps(statement).encode(), source_file="f", first_line=1)
    changes = {"etl_mode": "file", "spool_dir": tmp_path, "bundle_dir": tmp_path / "bundles", "batch_timeout_ms": 20}
    settings = tables.settings.model_copy(update={**changes, "xapi_credentials_file": tmp_path / "clients.json"})
    with serving(settings) as site:
        assert site.post(changed("verb.id", "http://h.example/other", statement)).status == 409
        assert site.post([statement, new_statement()]).status == 200
    assert len(lines_of(settings)) == 1


def test_statements_without_an_id_are_told_apart_by_their_bytes(site: Site) -> None:
    timed = changed("id", ..., new_statement())
    assert site.post([timed, timed]).json == site.post(timed).json * 2
    assert len(set(site.post([SMALL, SMALL]).json)) == 2
