"""The pages say what the warehouse holds, and tell their states apart."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import open_warehouse
from tests.given import load, page_viewed
from tests.web.conftest import Site, serving


def _state(text: str) -> list[str]:
    return re.findall(r'data-state="([a-z-]+)"', text)


def test_the_list_shows_every_section_with_its_counts(site: Site) -> None:
    page = site.page("/")
    assert page.status == 200
    rows = re.findall(r'<a href="/sections/([^"]+)">(.*?)</a>', page.text)
    assert {slug for slug, _ in rows} == {"43@torus.example", "42@torus.example", "42@other.example", "0@torus.example"}
    assert ">200</td>" in page.text
    assert '<time datetime="2026-06-' in page.text


def test_the_list_can_be_searched_and_sorted(site: Site) -> None:
    found = site.page("/?q=other&sort=events&order=asc").text
    assert re.findall(r'<a href="/sections/([^"]+)">', found) == ["42@other.example"]
    assert "1 of 4 sections match" in found
    assert 'aria-sort="ascending"' in found
    assert _state(site.page("/?q=nothing-like-this").text) == ["no-match"]


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_two_platforms_of_one_host_are_told_apart(migrated_settings: Settings) -> None:
    platforms = ("http://torus.example", "https://torus.example")
    with open_warehouse(migrated_settings) as warehouse:
        load(warehouse, [page_viewed(42, 901, "2026-03-01T10:00:00Z", platform=platform) for platform in platforms])
    with serving(migrated_settings) as site:
        text = site.page("/").text
    assert sorted(re.findall(r'<td class="platform">(.*?)</td>', text)) == list(platforms)


def test_what_people_search_for_is_text_and_not_markup(site: Site) -> None:
    text = site.page("/?q=%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_a_section_shows_its_numbers_chart_and_table(site: Site) -> None:
    text = site.page("/sections/42@torus.example").text
    cards = dict(re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", text))
    assert (cards["Events"], cards["Learners"]) == ("3", "2")
    assert "2 Mar 2026, 11:45" in cards["Newest event"]
    spec = re.search(r'<script type="application/json" id="events-by-type">(.*?)</script>', text, re.DOTALL)
    assert spec is not None
    assert sum(row["events"] for row in json.loads(spec[1])["data"]["values"]) == 3
    assert "1 Mar 2026, 10:00" in text
    assert "answered in" in text


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/sections/43", "/sections/43@torus.example"),
        ("/sections/43/insights", "/sections/43@torus.example/instructor_dashboard/insights/analytics"),
        ("/sections", "/"),
    ],
)
def test_other_addresses_lead_to_the_one_address(site: Site, path: str, target: str) -> None:
    reply = site.page(path)
    assert reply.status in (302, 307)
    assert reply.headers["location"] == target


def test_a_browser_gets_a_page_for_what_is_not_there(site: Site) -> None:
    for path in ("/sections/7", "/nowhere"):
        reply = site.page(path)
        assert reply.status == 404
        assert "<h1>Not found</h1>" in reply.text
        assert _state(reply.text) == ["error"]


def test_an_ambiguous_number_names_the_addresses_to_choose_from(site: Site) -> None:
    reply = site.page("/sections/42")
    assert reply.status == 404
    assert "42@other.example, 42@torus.example" in reply.text


def test_a_wrong_order_is_explained(site: Site) -> None:
    reply = site.page("/?sort=colour")
    assert reply.status == 400
    assert "sort:" in reply.text


def test_no_page_holds_inline_script_or_style(site: Site) -> None:
    for path in ("/", "/sections/42@torus.example", "/nowhere"):
        text = site.page(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=", text), path
        assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_not_set_up_empty_and_error_are_told_apart(
    migrated_settings: Settings, campus_settings: Settings, tmp_path: Path
) -> None:
    missing = load_settings(data_dir=tmp_path / "nowhere")
    with serving(missing) as site:
        reply = site.page("/")
        assert (reply.status, _state(reply.text)) == (503, ["not-set-up"])
        assert "schoolhouse warehouse setup" in reply.text
        assert site.get("/readyz").json()["error"]["code"] == "warehouse_not_ready"

    with serving(migrated_settings) as site:
        reply = site.page("/")
        assert (reply.status, _state(reply.text)) == (200, ["empty"])

    unreachable = load_settings(data_dir=tmp_path, clickhouse_host="127.0.0.1", clickhouse_port=1)
    with serving(unreachable) as site:
        reply = site.page("/")
        assert (reply.status, _state(reply.text)) == (503, ["error"])
        assert "does not answer" in reply.text


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_the_link_to_the_project_leads_there_where_two_platforms_share_a_host(migrated_settings: Settings) -> None:
    # a section of one number on both, with the same project, and with projects of their own
    taught = (("http", 61, 5), ("https", 61, 5), ("http", 62, 8), ("https", 62, 6))
    with open_warehouse(migrated_settings, who="tests") as warehouse:
        load(
            warehouse,
            [
                page_viewed(section, 1, "2026-03-02T10:00:00Z", platform=f"{scheme}://torus.example", project=project)
                for scheme, section, project in taught
            ],
        )
    with serving(migrated_settings) as site:
        slugs = [each["slug"] for each in site.get("/api/sections").json()["sections"]]
        links = [re.findall(r'href="(/projects/[^"]+)"', site.page(f"/sections/{slug}").text) for slug in slugs]
        assert len(links) == 4
        for [link] in links:
            assert site.page(link).status == 200, link
    assert {link.split("@")[0] for [link] in links} == {"/projects/5", "/projects/6", "/projects/8"}
