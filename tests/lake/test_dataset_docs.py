"""The pages about topics, datasets, quality and models say what the code says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from schoolhouse.lake.models import bkt, irt, sm2
from schoolhouse.lake.quality import anomalies, suites
from schoolhouse.lake.quality.checks import DIMENSIONS, WEIGHTS
from schoolhouse.lake.topics import TOPICS, Topic
from schoolhouse.lake.transform import DATASETS, Column, Dataset, parse

DOCS = Path(__file__).parents[2] / "docs"
KINDS = {str: "text", bool: "boolean", int: "integer", float: "number", datetime: "time", list: "list"}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def fields_of(topic: Topic) -> str:
    """The table of a topic's fields."""
    rows = [
        f"| `{name}` | {json_type(dtype)} | {'yes' if name in topic.placing else ''} | {topic.about[name]} |"
        for name, dtype in topic.schema.items()
    ]
    return "\n".join(["| field | JSON | must be there | meaning |", "| --- | --- | --- | --- |", *rows])


def json_type(dtype: pl.DataType) -> str:
    kind = KINDS[dtype.to_python()]
    return f"list of {json_type(dtype.inner)}s" if isinstance(dtype, pl.List) else kind  # type: ignore[arg-type]


def columns_of(dataset: Dataset) -> str:
    """The table of a dataset's columns."""
    rows = [f"| `{one.name}` | {type_of(one)} | {one.unit} | {bound(one)} | {one.about} |" for one in dataset.columns]
    return "\n".join(["| column | type | unit | bound | meaning |", "| --- | --- | --- | --- | --- |", *rows])


def type_of(column: Column) -> str:
    dtype = column.dtype
    name = f"list of {dtype.inner}" if isinstance(dtype, pl.List) else str(dtype.base_type())
    return name.lower() + ("" if column.required else ", or null")


def bound(column: Column) -> str:
    if column.values:
        return ", ".join(column.values)
    return "" if column.low is None else f"{column.low:g} to {column.high:g}"


def checks_of(dataset: Dataset) -> str:
    """The table of a dataset's checks that do not follow from its columns."""
    schema = dataset.schema
    moment = datetime(2025, 9, 1, tzinfo=UTC)
    own = {f"{column.name} is {end}" for column in dataset.columns for end in ("there", "in range", "known")}
    rows = [
        f"| {one.name} | {one.dimension} | {one.level} | {one.about} |"
        for one in suites.suite_of(dataset, schema, moment, moment)
        if one.name not in own and one.name != "the schema"
    ]
    return "\n".join(["| check | dimension | level | holds where |", "| --- | --- | --- | --- |", *rows])


@pytest.mark.parametrize("topic", TOPICS)
def test_every_field_of_a_message_is_documented_with_an_example_that_parses(topic: str) -> None:
    text = page("lake-topics")
    assert fields_of(TOPICS[topic]) in text
    section = text.split(f"## `{topic}`")[1]
    example = re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0]
    frame, poison = parse(TOPICS[topic], [example.encode()])
    assert poison == []
    assert set(json.loads(example)) <= set(TOPICS[topic].schema)
    assert frame.height == 1


@pytest.mark.parametrize("name", ["user_attempts", "user_sessions", "daily_aggregations", "ml_training"])
def test_every_column_is_documented_with_type_unit_and_bound(name: str) -> None:
    assert columns_of(DATASETS[name]) in page("lake-datasets")


@pytest.mark.parametrize("name", ["user_attempts", "user_sessions", "daily_aggregations", "ml_training"])
def test_every_check_is_documented(name: str) -> None:
    assert checks_of(DATASETS[name]) in page("lake-quality")


def test_the_constants_of_quality_are_those_of_the_page() -> None:
    text = " ".join(page("lake-quality").split())
    for level, weight in WEIGHTS.items():
        assert f"| {level} | {weight} |" in text
    assert all(f"| {dimension} |" in text for dimension in DIMENSIONS)
    assert f"more than {anomalies.THRESHOLD}" in text
    assert f"at least {anomalies.LEAST_WEEKS} windows" in text
    assert f"at least {anomalies.LEAST_DAYS} windows" in text
    assert f"{suites.FEW:.1%}" in text


def test_the_constants_of_the_models_are_those_of_the_page() -> None:
    text = " ".join(page("lake-models").split())
    assert f"prior {bkt.PRIOR}, learn {bkt.LEARN}, guess {bkt.GUESS}, slip {bkt.SLIP}" in text
    assert f"starts at {sm2.FIRST_EASINESS}" in text
    assert f"{irt.DRIFT}²" in text
