"""The lake's page: for admins; what it says is what the lake holds; its reports load nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schoolhouse.settings import Settings, load_settings
from tests.web.conftest import Site, serving
from tests.web.visitors import PeopledSite


@pytest.mark.parametrize("path", ["/admin/lake", "/admin/lake/metrics"])
@pytest.mark.parametrize(("who", "status"), [("ann", 403), ("", 401)])
def test_the_lake_is_for_admins(peopled_site: PeopledSite, path: str, who: str, status: int) -> None:
    assert peopled_site.get(who, path).status == status


def test_the_page_shows_windows_tables_and_trends(lake_site: Site) -> None:
    page = lake_site.page("/admin/lake")
    assert page.status == 200
    assert 'data-chart="lake-scores"' in page.text
    assert "processed/user_attempts" in page.text
    assert re.search(r"<td>loaded</td>", page.text)
    assert re.search(r"<th[^>]*>Transform</th>", page.text)
    assert "Size a day" in page.text


def test_each_window_links_its_report_which_loads_nothing(lake_site: Site) -> None:
    text = lake_site.page("/admin/lake").text
    html, data = re.findall(r'href="(/admin/lake/reports/[^"]+)"', text)[:2]
    report = lake_site.page(html)
    assert report.status == 200
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert not re.search(r"https?://", report.text.replace("http://www.w3.org/", ""))
    assert lake_site.get(data).json()["rows"] == 200


@pytest.mark.parametrize(
    "path", ["user_attempts/2024/1/1/10-0001.html", "nope/2024/1/1/10-0001.html", "user_attempts/2024/1/1/10.exe"]
)
def test_a_report_that_is_not_there_is_not_found(lake_site: Site, path: str) -> None:
    assert lake_site.page(f"/admin/lake/reports/{path}").status == 404


def test_an_empty_lake_says_how_to_fill_it(tmp_path: Path, campus_settings: Settings) -> None:
    with serving(load_settings(data_dir=tmp_path)) as site:
        text = site.page("/admin/lake").text
    assert "The lake is empty" in text
    assert "schoolhouse lake run" in text


def test_figures_are_there_for_prometheus(lake_site: Site) -> None:
    text = lake_site.get("/admin/lake/metrics").text
    assert 'schoolhouse_lake_rows{dataset="user_attempts"} 200' in text
