"""The charts by API: rows, files and pictures, filters, and refusals."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schoolhouse.analytics.catalogue import catalogue
from tests.web.conftest import Site
from tests.web.visitors import PeopledSite

SECTION = "/api/v1/sections/1001@torus.example/charts"
PROJECT = "/api/v1/projects/301@torus.example/charts"


@pytest.mark.parametrize("name", [chart.name for chart in catalogue() if chart.name != "page_attempts_by_number"])
def test_every_chart_answers_with_rows_for_each_of_its_scopes(lively: Site, name: str) -> None:
    chart = next(chart for chart in catalogue() if chart.name == name)
    for scope, path in (("section", SECTION), ("project", PROJECT)):
        reply = lively.get(f"{path}/{name}")
        if scope not in chart.scopes:
            assert (reply.status, reply.json()["error"]["code"]) == (404, "not_found")
            continue
        body = reply.json()
        assert reply.status == 200, body
        assert body["scope"]["kind"] == scope
        assert body["rows"]
        assert list(body["rows"][0]) == [column["name"] for column in body["columns"]]


def test_the_catalogue_says_what_is_asked_and_which_filters_count(lively: Site) -> None:
    charts = {chart["name"]: chart for chart in lively.get("/api/v1/charts").json()["charts"]}
    assert len(charts) == len(catalogue())
    assert charts["video_completion"]["filters"] == ["dates", "pages", "top", "min_group"]
    assert charts["learners_at_risk"]["scopes"] == ["section"]


def test_a_chart_comes_as_csv_parquet_and_arrow_with_the_same_rows(lively: Site) -> None:
    rows = lively.get(f"{SECTION}/video_completion").json()["rows"]
    reply = lively.get(f"{SECTION}/video_completion.csv")
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="video_completion_1001-torus.example.csv"'
    read = list(csv.DictReader(io.StringIO(reply.text)))
    assert [(row["video"], int(row["plays"])) for row in read] == [(row["video"], row["plays"]) for row in rows]
    parquet = pq.read_table(io.BytesIO(lively.get(f"{SECTION}/video_completion.parquet").body)).to_pylist()
    arrow = pa.ipc.open_stream(lively.get(f"{SECTION}/video_completion.arrow").body).read_all().to_pylist()
    assert parquet == arrow
    assert [row["completion_rate"] for row in arrow] == pytest.approx([row["completion_rate"] for row in rows])


def test_a_number_that_is_none_is_an_empty_cell(lively: Site) -> None:
    rows = lively.get(f"{SECTION}/event_summary").json()["rows"]
    read = list(csv.DictReader(io.StringIO(lively.get(f"{SECTION}/event_summary.csv").text)))
    assert "" in [row["mean_score"] for row in read]
    assert [row["mean_score"] == "" for row in read] == [row["mean_score"] is None for row in rows]


def test_a_chart_comes_as_a_picture_on_light_and_dark_ground(lively: Site) -> None:
    png = lively.get(f"{SECTION}/grade_distribution.png")
    assert (png.headers["content-type"], png.body[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    light = lively.get(f"{SECTION}/grade_distribution.svg").text
    dark = lively.get(f"{SECTION}/grade_distribution.svg?theme=dark").text
    assert "Grade distribution" in light
    assert "Page viewed" in lively.get(f"{SECTION}/event_summary.svg").text
    assert "#ffffff" in light
    assert "#1a2129" in dark


def test_dates_pages_and_top_choose_rows(lively: Site) -> None:
    everything = lively.get(f"{SECTION}/page_engagement?top=1000").json()["rows"]
    assert lively.get(f"{SECTION}/page_engagement?top=3").json()["rows"] == everything[:3]
    page = everything[1]["page"]
    assert lively.get(f"{SECTION}/page_engagement?pages={page}").json()["rows"] == [everything[1]]
    early = lively.get(f"{SECTION}/page_engagement?top=1000&until=2025-09-08&since=").json()["rows"]
    late = lively.get(f"{SECTION}/page_engagement?top=1000&since=2025-09-08").json()["rows"]
    assert sum(row["views"] for row in early + late) == sum(row["views"] for row in everything)
    types = lively.get(f"{SECTION}/event_timeline?event_types=video,page_viewed&step=day").json()["rows"]
    assert {row["event_type"] for row in types} == {"video", "page_viewed"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=yesterday", "since"),
        ("since=2026-03-02&until=2026-03-02", "hold no day"),
        ("top=0", "top"),
        ("step=century", "step"),
        ("min_group=-1", "min_group"),
    ],
)
def test_a_wrong_filter_is_refused_with_its_name(lively: Site, query: str, words: str) -> None:
    reply = lively.get(f"{SECTION}/event_timeline?{query}")
    assert reply.status == 400
    assert words in reply.json()["error"]["message"]


def test_a_year_that_is_typed_halfway_counts_as_long_ago(lively: Site) -> None:
    everything = lively.get(f"{SECTION}/event_summary").json()["rows"]
    assert lively.get(f"{SECTION}/event_summary?since=0002-09-01").json()["rows"] == everything
    assert lively.get(f"{SECTION}/event_summary?until=0002-09-01").json()["rows"] == []


def test_a_chart_that_is_not_there_is_not_found(lively: Site) -> None:
    reply = lively.get(f"{SECTION}/nonsense")
    assert reply.status == 404
    assert "video_completion" in reply.json()["error"]["hint"]
    assert lively.get(f"{SECTION}/video_completion.exe").status == 400
    assert lively.get("/api/v1/sections/77/charts/video_completion").status == 404


def test_what_filters_say_is_bound_and_never_sql(lively: Site) -> None:
    for attack in ("1%27)%20OR%201=1--", "%27%7D%7Bx:String%7D", "%5C"):
        assert lively.get(f"{SECTION}/page_engagement?pages={attack}").json()["rows"] == []


def test_an_instructor_gets_their_own_section_and_no_other(peopled_site: PeopledSite) -> None:
    own = peopled_site.get("ann", "/api/v1/sections/42@torus.example/charts/event_summary")
    assert sum(row["events"] for row in own.json()["rows"]) == 3
    for path in (
        "/api/v1/sections/43@torus.example/charts/event_summary",
        "/api/v1/sections/42@other.example/charts/event_summary.csv",
        "/api/v1/sections/77@torus.example/charts/event_summary",
        "/api/v1/projects/7@torus.example/charts/event_summary",
    ):
        assert peopled_site.get("ann", path).status == 403, path
    assert peopled_site.get("", "/api/v1/sections/42@torus.example/charts/event_summary").status == 401
    assert peopled_site.get("", "/api/v1/charts").status == 401


def test_a_number_that_two_platforms_share_keeps_their_events_apart(peopled_site: PeopledSite) -> None:
    here = peopled_site.get("root", "/api/v1/sections/42@torus.example/charts/event_summary").json()["rows"]
    there = peopled_site.get("root", "/api/v1/sections/42@other.example/charts/event_summary").json()["rows"]
    assert (sum(row["events"] for row in here), sum(row["events"] for row in there)) == (3, 1)


def test_an_author_sees_the_project_and_not_its_learners(peopled_site: PeopledSite) -> None:
    rows = peopled_site.get("cy", "/api/v1/projects/7@torus.example/charts/section_comparison?min_group=1").json()
    assert rows["min_group"] == 5
    assert [row["section_id"] for row in rows["rows"]] == [43]  # 42 has two learners: a small group
    assert peopled_site.get("cy", "/api/v1/sections/43@torus.example/charts/learners_at_risk").status == 403


def test_learners_have_made_up_names_for_those_who_may_not_see_them(peopled_site: PeopledSite) -> None:
    path = "/api/v1/sections/43@torus.example/charts/learners_at_risk"
    hidden = peopled_site.get("di", path)
    shown = peopled_site.get("root", path)
    names = [row["learner"] for row in hidden.json()["rows"]]
    assert names
    assert all(name.startswith("learner ") for name in names)
    assert len(set(names)) == len(names)
    assert {row["learner"] for row in shown.json()["rows"]} <= {str(1000 + n) for n in range(20)}
    written = list(csv.DictReader(io.StringIO(peopled_site.get("di", f"{path}.csv").text)))
    assert [row["learner"] for row in written] == names
    drawn = peopled_site.get("di", f"{path}.svg").text
    assert not any(f">{row['learner']}<" in drawn for row in shown.json()["rows"])


def test_an_export_is_recorded(peopled_site: PeopledSite) -> None:
    peopled_site.get("ann", "/api/v1/sections/42@torus.example/charts/event_summary.csv")
    entries = peopled_site.site.app.state.schoolhouse.database.audit.entries(who="ann", action="export")
    assert (entries[0].subject, entries[0].detail) == ("section 42@torus.example", "event_summary.csv")


def test_the_operators_address_needs_the_token_of_serve(lively: Site) -> None:
    order = json.dumps({"chart": "event_summary", "section": "1001@torus.example"}).encode()
    headers = {"Content-Type": "application/json"}
    assert lively.request("POST", "/api/chart", body=order, headers=headers).status == 403
    headers["Authorization"] = "Bearer a-token-of-the-tests"
    reply = lively.request("POST", "/api/chart", body=order, headers=headers)
    assert {row["event_type"] for row in reply.json()} >= {"video", "page_viewed"}


def test_every_chart_is_described_for_programs(lively: Site) -> None:
    paths = lively.get("/api/openapi.json").json()["paths"]
    for scope in ("sections", "projects"):
        assert "get" in paths[f"/api/v1/{scope}/{{slug}}/charts/{{name}}"]
        assert "get" in paths[f"/api/v1/{scope}/{{slug}}/charts/{{name}}.{{ending}}"]


def test_the_names_of_learners_come_from_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    from schoolhouse.analytics.pseudonyms import FILE_NAME, pepper_of
    from schoolhouse.settings import load_settings

    settings = load_settings(data_dir=tmp_path / "new")
    first = pepper_of(settings)
    assert len(first) == 64
    assert pepper_of(settings) == first
    assert (tmp_path / "new" / FILE_NAME).stat().st_mode & 0o777 == 0o600
