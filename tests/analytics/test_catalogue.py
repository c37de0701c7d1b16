"""The catalogue is whole: every chart says what it answers, is scoped, reads through FINAL, and stands in the docs."""

from __future__ import annotations

import json
import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from schoolhouse.analytics.answers import ChartFilters
from schoolhouse.analytics.catalogue import CATEGORIES, REFERENCE_MARK, Chart, catalogue, find_chart, reference
from schoolhouse.analytics.drawing import SERIES
from schoolhouse.errors import NotFound, UsageError
from schoolhouse.warehouse.statements import describe
from schoolhouse.web.chart_address import ChartAddress, read_filters
from tests.conftest import ROOT

CHARTS = [pytest.param(chart, id=chart.name) for chart in catalogue()]


@pytest.mark.parametrize("chart", CHARTS)
def test_the_question_says_what_the_page_says(chart: Chart) -> None:
    title, meaning = describe(chart.sql)
    assert title == chart.title
    assert meaning.startswith(chart.question)
    assert chart.question.endswith("?")
    assert chart.definition.endswith(".")
    assert chart.empty.endswith(".")


@pytest.mark.parametrize("chart", CHARTS)
def test_every_reading_is_scoped_by_platform_section_and_project_and_final(chart: Chart) -> None:
    readings = re.findall(r"FROM (raw_events|experiment_attributions|sections)\b( FINAL)?", chart.sql)
    assert readings
    unmerged = [table for table, final in readings if not final]
    assert unmerged == []
    assert chart.sql.count("section_id IN {section_ids:Array(UInt64)}") == len(readings)
    assert chart.sql.count("platform = {platform:String}") == len(readings)
    of_project = chart.sql.count("AND ({project_id:UInt64} = 0 OR project_id = {project_id:UInt64})")
    assert of_project == sum(table != "sections" for table, _ in readings)


@pytest.mark.parametrize("chart", CHARTS)
def test_the_drawing_uses_columns_that_the_answer_has(chart: Chart) -> None:
    made = set(re.findall(r'"as": "(\w+)"', chart.spec_text)) | {
        "label",
        "from_label",
        "to_label",
        "measure",
        "number",
        "kind",
    }
    for field in re.findall(r'"field": "(\w+)"', chart.spec_text):
        assert field in made | {column.name for column in chart.columns}, field


def test_pictures_and_pages_colour_series_alike() -> None:
    script = files("schoolhouse.web").joinpath("static/charts.js").read_text()
    found = re.search(r"const SERIES = (\[[^]]+\]);", script)
    assert found
    assert json.loads(found[1]) == SERIES


def test_a_chart_is_found_by_its_name_and_scope() -> None:
    assert find_chart("video_completion").category in CATEGORIES
    for name, scope in (("nothing", None), ("section_comparison", "section"), ("learners_at_risk", "project")):
        with pytest.raises(NotFound):
            find_chart(name, scope)  # type: ignore[arg-type]


def test_the_docs_hold_the_catalogue() -> None:
    page = (Path(ROOT) / "docs" / "charts.md").read_text()
    assert page.partition(REFERENCE_MARK)[2].strip() == reference().strip()
    for name in ChartAddress.model_fields:
        assert f"`{name}`" in page


def test_filters_are_read_from_words_and_refused_by_name() -> None:
    read = read_filters({"since": "2026-03-01", "pages": "1, 2", "top": "5", "until": ""})
    assert read == ChartFilters(since=date(2026, 3, 1), pages=("1", "2"), top=5)
    for wrong in (
        {"top": "many"},
        {"colour": "red"},
        {"since": "soon"},
        {"since": "2026-03-02", "until": "2026-03-01"},
    ):
        with pytest.raises(UsageError):
            read_filters(wrong)


def test_an_address_keeps_what_is_not_the_default() -> None:
    address = ChartAddress.model_validate({"since": "2026-03-01", "pages": ["1,2", "3"], "top": "20"})
    assert address.query() == "?since=2026-03-01&pages=1%2C2%2C3"
    assert address.query(since=None, pages=[]) == ""
