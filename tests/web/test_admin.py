"""The admin pages: what the warehouse says, live, and for admins alone."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schoolhouse.collect.pipeline import pipeline_stats
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from tests.conftest import settings_on
from tests.given import load, page_viewed
from tests.web.conftest import Site, serving
from tests.web.visitors import PeopledSite

PAGES = (
    "/admin/clickhouse",
    "/admin/clickhouse/migrate",
    "/admin/clickhouse/live",
    "/admin/xapi_upload_pipeline",
    "/admin/xapi_upload_pipeline/live",
    "/admin/audit",
    "/metrics",
    "/api/pipeline",
)


@pytest.fixture(scope="module")
def flawed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A warehouse into which a bad line was loaded."""
    settings = settings_on("embedded", request, data_dir=tmp_path_factory.mktemp("flawed"))
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        load(warehouse, [page_viewed(42, 1, "2026-03-01T10:00:00Z"), page_viewed(42, 7, "no <b>time</b> at all")])
    with serving(settings) as served:
        yield served


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("who", "status"), [("ann", 403), ("cy", 403), ("di", 403), ("", 401)])
def test_admin_pages_are_for_admins(peopled_site: PeopledSite, path: str, who: str, status: int) -> None:
    assert peopled_site.get(who, path).status == status


def test_the_page_shows_health_sizes_loads_and_reasons(flawed: Site) -> None:
    text = flawed.page("/admin/clickhouse").text
    assert re.search(r"<dt>ClickHouse</dt><dd class=\"when\">2\d\.\d+", text)
    assert "raw_events" in text
    assert "<code>bad_timestamp</code>" in text
    assert re.search(r"<dt>Migrations</dt><dd class=\"when\">\d+ applied</dd>", text)


def test_a_reject_leads_to_its_line_and_the_look_is_recorded(flawed: Site) -> None:
    text = flawed.page("/admin/clickhouse").text
    [path] = set(re.findall(r'href="(/admin/clickhouse/loads/\d+)#rejects"', text))
    of_load = flawed.page(path).text
    assert "bad_timestamp" in of_load
    [line] = re.findall(rf'href="({path}/lines/\d+)"', of_load)
    shown = flawed.page(line).text
    assert "no &lt;b&gt;time&lt;/b&gt; at all" in shown
    assert "<b>time</b>" not in shown
    assert flawed.app.state.schoolhouse.database.audit.entries(action="view line")[0].detail == "line 2"
    assert flawed.page("/admin/clickhouse/loads/1").status == 404
    assert flawed.page(f"{path}/lines/999").status == 404


@pytest.mark.parametrize("path", ["/admin/clickhouse/live", "/admin/clickhouse/backfill/events"])
def test_a_stream_is_not_held_back_by_a_proxy_and_never_kept(flawed: Site, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", flawed.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    connection.close()
    assert answer.getheader("x-accel-buffering") == "no"
    assert answer.getheader("cache-control") == "no-store"


@pytest.mark.parametrize("page", ["/admin/clickhouse", "/admin/xapi_upload_pipeline"])
def test_a_live_page_streams_its_part(flawed: Site, page: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", flawed.port, timeout=30)
    connection.request("GET", f"{page}/live")
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    lines = []
    while not lines or not lines[-1].startswith("data: "):
        lines.append(answer.readline().decode())
    connection.close()
    part = json.loads(lines[-1].removeprefix("data: "))
    assert "<table>" in part
    assert part.strip()[:60] in flawed.page(page).text


def test_waiting_migrations_are_shown_and_run_when_confirmed(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings: Settings = settings_on("embedded", request, data_dir=tmp_path)
    with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
        migrations.up(warehouse)
        migrations.down(warehouse, steps=1)
        last = f"{migrations.pending(warehouse)[-1].version:04}_{migrations.pending(warehouse)[-1].name}"
    with serving(settings) as site:
        assert "1 waiting" in site.page("/admin/clickhouse").text
        plan = site.page("/admin/clickhouse/migrate").text
        assert last in plan
        assert "CREATE" in plan
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        stale = site.request("POST", "/admin/clickhouse/migrate", body=b"confirmed=0001_other", headers=form)
        assert stale.status == 400
        done = site.request("POST", "/admin/clickhouse/migrate", body=f"confirmed={last}".encode(), headers=form)
        assert (done.status, done.headers["location"]) == (303, "/admin/clickhouse")
        assert "Every migration has run" in site.page("/admin/clickhouse/migrate").text
        assert site.app.state.schoolhouse.database.audit.entries(action="migrate")[0].detail == last


def test_the_audit_log_can_be_searched(flawed: Site) -> None:
    audit = flawed.app.state.schoolhouse.database.audit
    audit.did("ann", "query", "section 42@torus.example", "SELECT '<i>'")
    text = flawed.page("/admin/audit?who=%20Ann&action=Query").text
    assert "SELECT &#39;&lt;i&gt;&#39;" in text
    assert "Nothing is recorded that matches" in flawed.page("/admin/audit?who=nobody-at-all").text


def test_older_acts_are_on_further_pages_of_the_audit_log(flawed: Site) -> None:
    audit = flawed.app.state.schoolhouse.database.audit
    for number in range(201):
        audit.saw("kim", f"section {number}")
    first = flawed.page("/admin/audit?who=kim").text
    assert "section 200<" in first
    assert "section 0<" not in first
    [older] = re.findall(r'href="(/admin/audit\?who=kim&amp;before=\d+)"', first)
    second = flawed.page(older.replace("&amp;", "&")).text
    assert re.findall(r">(section \d+)<", second) == ["section 0"]
    assert "Newest" in second
    assert "Older" not in second


def test_metrics_count_requests_by_route_and_name_no_section(flawed: Site) -> None:
    flawed.get("/api/sections/42@torus.example/overview")
    text = flawed.get("/metrics").text
    assert re.search(
        r'schoolhouse_requests_total\{method="GET",route="/api/sections/\{slug\}/overview",status="200"\} \d', text
    )
    assert "schoolhouse_warehouse_answers 1.0" in text
    assert "schoolhouse_pipeline_" in text
    assert "42@torus" not in text


def test_the_state_of_the_pipeline_is_told_to_programs(flawed: Site) -> None:
    found = flawed.get("/api/pipeline").json()
    assert found == pipeline_stats(flawed.app.state.schoolhouse.settings)
    assert {"queued", "in_flight", "delivered", "failed_attempts", "oldest_age_seconds"} < found.keys()


def test_an_unreachable_warehouse_is_said_plainly(tmp_path: Path) -> None:
    with serving(load_settings(data_dir=tmp_path)) as site:
        page = site.page("/admin/clickhouse")
        assert page.status == 503
        assert "not set up" in page.text
        assert "schoolhouse_warehouse_answers 0.0" in site.get("/metrics").text
