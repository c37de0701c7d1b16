"""No question returns another section's row, writes, or reads outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schoolhouse.analytics.scoped_sql.checking import check
from schoolhouse.analytics.scoped_sql.scopes import section_scope
from schoolhouse.errors import QueryError, QuestionRefused
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import open_scoped, open_warehouse
from tests.analytics.scoped_sql.questions import OWN, TwoWarehouses, outcome, read, state

HOSTILE = read("hostile.txt")
# What the engine's filters must stop by themselves, whatever the check lets through.
ENGINES_OWN = (
    "boolean tricks",
    "set operations",
    "sub-queries",
    "joins",
    "CTEs",
    "aliases that shadow",
    "our other tables",
)


@pytest.mark.parametrize("heading", HOSTILE)
def test_a_hostile_question_is_refused_or_answers_as_if_the_section_were_alone(
    two: TwoWarehouses, heading: str
) -> None:
    with open_warehouse(two.whole, role="reader", who="tests") as warehouse:
        before = state(warehouse)
        problems = [problem for question in HOSTILE[heading] if (problem := two.differs(question))]
        assert state(warehouse) == before
    assert not problems
    assert not list(Path("/tmp").glob("stolen*"))


def test_there_are_enough_hostile_questions() -> None:
    questions = [question for group in HOSTILE.values() for question in group]
    assert len(questions) >= 150
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize(
    "heading",
    [
        "table functions",
        "functions that reach outside",
        "stacked statements, and what is not a SELECT",
        "settings",
        "parameters",
        "Unicode",
    ],
)
def test_what_reaches_around_the_filters_never_gets_to_the_engine(heading: str) -> None:
    for question in HOSTILE[heading]:
        if "numbers((" in question:
            continue
        with pytest.raises(QuestionRefused):
            check(question)


@pytest.mark.slow  # every group asks twice what the test above asks once
@pytest.mark.parametrize("heading", ENGINES_OWN)
def test_the_engines_filters_hold_without_the_check(two: TwoWarehouses, heading: str) -> None:
    def ask(where: Settings, question: str) -> tuple[str, object]:
        with open_warehouse(where, role="reader", who="tests") as reader:
            tables = [row[1] for row in state(reader)]
        restrictions = section_scope(OWN).settings(where.clickhouse_database, tables)
        with open_scoped(where, restrictions, who="tests", why="tests") as warehouse:
            try:
                data = json.loads(warehouse.ask_bytes(question, output_format="JSONCompact", why="tests"))["data"]
                return "rows", sorted(map(repr, data))
            except QueryError as error:
                return "refused", error.engine_code

    for question in HOSTILE[heading]:
        if "schema_migrations" in question or "default." in question:
            continue  # its rows are the same program's in both; and both databases are called otherwise
        assert ask(two.whole, question) == ask(two.alone, question), question


def test_nothing_can_be_changed_on_the_handle_of_a_question(two: TwoWarehouses) -> None:
    restrictions = section_scope(OWN).settings(two.whole.clickhouse_database, [])
    with open_scoped(two.whole, restrictions, who="tests", why="tests") as warehouse:
        for statement in (
            "INSERT INTO sections (platform) VALUES ('x')",
            "DROP TABLE raw_events",
            "CREATE TABLE stolen (x UInt8) ENGINE = Memory",
            "ALTER TABLE raw_events DELETE WHERE 1",
        ):
            with pytest.raises(QueryError):
                warehouse.run(statement, why="tests")
        if two.whole.is_embedded:
            with pytest.raises(QueryError):
                warehouse.ask_bytes(
                    "SELECT 1 SETTINGS additional_table_filters = {}", output_format="JSON", why="tests"
                )


_columns = st.sampled_from(["section_id", "user_id", "platform", "project_id", "page_id", "event_type"])
_values = st.sampled_from(["42", "43", "44", "0", "7", "'901'", "'5000'", "'https://torus.example'", "NULL", "''"])
_simple = st.builds("{} {} {}".format, _columns, st.sampled_from(["=", "!=", "<", ">", "IN", "LIKE"]), _values).map(
    lambda text: text.replace("IN ", "IN (") + ")" if " IN " in text else text
)
_conditions = st.recursive(
    _simple | st.sampled_from(["1", "0", "1 = 1", "NULL"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR", "XOR"]), inner)
        | st.builds("NOT ({})".format, inner)
    ),
    max_leaves=5,
)
_UNION = (
    "(SELECT section_id, user_id FROM raw_events WHERE {0}"
    " UNION ALL SELECT section_id, user_id FROM raw_events WHERE {1})"
)
_sources = st.recursive(
    st.sampled_from(["raw_events", "raw_events FINAL", "raw_events AS learners", "video_events", "sections"]),
    lambda inner: (
        st.builds("(SELECT * FROM {} WHERE {})".format, inner, _conditions)
        | st.builds(_UNION.format, _conditions, _conditions)
    ),
    max_leaves=3,
)
_outputs = st.sampled_from(
    ["count()", "section_id, count()", "groupUniqArray(section_id)", "42 AS section_id, count()", "max(platform)"]
)


@given(output=_outputs, source=_sources, condition=_conditions)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_question_of_these_shapes_answers_as_if_the_section_were_alone(
    two: TwoWarehouses, output: str, source: str, condition: str
) -> None:
    group = " GROUP BY section_id" if output.startswith("section_id") else ""
    assert not two.differs(f"SELECT {output} FROM {source} WHERE {condition}{group}")


@given(st.text(alphabet=st.sampled_from("SELECT FROM raw_events learners()'\"`-/*;,.\\\n{}$#système1 "), max_size=80))
@settings(max_examples=300)
def test_no_text_makes_the_check_fail(text: str) -> None:
    with suppress(QuestionRefused):
        assert len(check(text).text) == len(text)


@given(
    st.lists(
        st.sampled_from(["SELECT", "1", "'a -- b'", "/* x */", "-- y\n", "AS", "`q`", "FROM", "raw_events", ",", " "])
    )
)
@settings(max_examples=200)
def test_places_stay_where_they_were(parts: list[str]) -> None:
    text = " ".join(parts)
    try:
        question = check("SELECT 1 " + text)
    except QuestionRefused:
        return
    for word in question.words:
        assert question.text[word.start : word.end].strip("`") == word.text


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "canary.txt"
    path.write_text("the canary sings\n")
    yield path
    assert path.read_text() == "the canary sings\n"


def test_a_file_on_the_machine_is_not_read(two: TwoWarehouses, canary: Path) -> None:
    for call in ("file('{}')", "FILE ( '{}' )", "`file`('{}')"):
        kind, found = outcome(two.whole, "SELECT " + call.format(canary))
        assert (kind, found) == ("refused", "question_refused")
