"""The API: what an operator can do, for admins with the flag alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.accounts import flags
from schoolhouse.settings import Settings
from tests.web.visitors import PeopledSite, peopled

RUNS = "/api/backfill/{}/runs"


@pytest.fixture(scope="module")
def people(campus_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledSite]:
    directory: Path = tmp_path_factory.mktemp("people")
    with peopled(campus_settings, directory) as site:
        yield site


def ask(people: PeopledSite, method: str, path: str, body: Any = None, who: str = "root") -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    reply = people.request(who, method, path, data, Content_Type="application/json")
    return reply.status, reply.json()


def make(people: PeopledSite) -> int:
    status, run = ask(people, "POST", RUNS.format("manual"), {"s3_pattern": "s3://bucket/*"})
    assert (status, run["status"], run["initiated_by"]) == (201, "pending", "root")
    return int(run["id"])


def test_a_run_is_made_listed_cancelled_and_deleted(people: PeopledSite) -> None:
    run = make(people)
    status, runs = ask(people, "GET", RUNS.format("manual"))
    assert status == 200
    assert runs[0]["id"] == run
    assert not {"lease_token", "lease_until"} & set(runs[0])
    path = f"{RUNS.format('manual')}/{run}"
    assert ask(people, "DELETE", path)[0] == 409
    assert ask(people, "POST", f"{path}/cancel")[1]["status"] == "cancelled"
    assert ask(people, "POST", f"{path}/cancel")[1]["error"]["code"] == "transition_refused"
    assert ask(people, "GET", f"{path}/logs") == (200, [])
    assert ask(people, "DELETE", path)[0] == 200
    assert ask(people, "GET", path)[0] == 404


def test_an_inventory_run_is_paused_and_resumed(people: PeopledSite) -> None:
    body = {"manifest_url": "s3://bucket/manifest.json", "section_ids": ["1"]}
    run = ask(people, "POST", RUNS.format("inventory"), body)[1]["id"]
    path = f"{RUNS.format('inventory')}/{run}"
    assert ask(people, "POST", f"{path}/pause")[1]["status"] == "paused"
    assert ask(people, "POST", f"{path}/resume")[1]["status"] == "pending"
    assert ask(people, "POST", f"{path}/batches/1/retry")[0] == 404
    page = f"/admin/clickhouse/backfill/inventory/{run}/batches"
    for number, status in ((1, 404), (2**70, 400)):
        assert people.request("root", "POST", f"{page}/{number}/retry").status == status
    assert ask(people, "GET", path)[1]["batches"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"s3_pattern": "http://169.254.169.254/latest/meta-data"}, 403),
        ({"s3_pattern": "/etc/passwd"}, 403),
        ({"s3_pattern": "s3://bucket/*", "clickhouse_settings": {"readonly": 0}}, 400),
        ({"s3_pattern": "s3://bucket/*", "status": "completed"}, 400),
        ({"s3_pattern": "s3://bucket/*", "initiated_by": "somebody"}, 400),
        ({}, 400),
    ],
)
def test_what_may_not_be_asked_for_is_refused(people: PeopledSite, body: dict[str, Any], status: int) -> None:
    assert ask(people, "POST", RUNS.format("manual"), body)[0] == status


@pytest.mark.parametrize("who", ["ann", "cy", "di", ""])
def test_others_than_admins_are_refused_everywhere(people: PeopledSite, who: str) -> None:
    run = make(people)
    path = f"{RUNS.format('manual')}/{run}"
    page = "/admin/clickhouse/backfill"
    for method, address in (
        ("GET", RUNS.format("manual")),
        ("POST", RUNS.format("manual")),
        ("GET", path),
        ("GET", f"{path}/logs"),
        ("POST", f"{path}/cancel"),
        ("DELETE", path),
        ("GET", page),
        ("GET", f"{page}/runs"),
        ("GET", f"{page}/events"),
        ("GET", f"{page}/manual/{run}"),
        ("GET", f"{page}/manual/{run}/logs"),
        ("POST", f"{page}/manual/{run}/cancel"),
        ("POST", f"{page}/manual"),
    ):
        assert people.request(who, method, address, None).status == (403 if who else 401), address


def test_without_the_flag_admins_are_refused_too(people: PeopledSite) -> None:
    flag = "clickhouse-olap-bulk-ingest"
    flags.choose(people.engine, flag, "root", is_on=False)
    try:
        assert ask(people, "GET", RUNS.format("manual"))[0] == 403
        assert people.get("root", "/admin/clickhouse/backfill").status == 403
    finally:
        flags.choose(people.engine, flag, "root", is_on=None)
    assert ask(people, "GET", RUNS.format("manual"))[0] == 200


def test_the_page_works_without_scripts(people: PeopledSite) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    page = "/admin/clickhouse/backfill"
    reply = people.request("root", "POST", f"{page}/manual", b"s3_pattern=s3%3A%2F%2Fbucket%2F*&chunk_size=7", **form)
    assert reply.status == 303
    assert "s3://bucket/*" in people.get("root", f"{page}?tab=manual", Accept="text/html").text
    wrong = people.request("root", "POST", f"{page}/manual", b"s3_pattern=%2Fetc%2F*&options=%7B", **form)
    assert wrong.status == 422
    assert "is no JSON object" in wrong.text
    deep = people.request(
        "root", "POST", f"{page}/manual", b"s3_pattern=s3%3A%2F%2Fb%2F*&options=" + b"[" * 10**5, **form
    )
    assert deep.status == 422
    script = b"s3_pattern=s3%3A%2F%2Fbucket%2F%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    assert people.request("root", "POST", f"{page}/manual", script, **form).status == 303
    assert "<script>alert" not in people.get("root", page, Accept="text/html").text
