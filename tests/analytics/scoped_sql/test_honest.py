"""Honest questions get the right answer: the one that the operator gets from a warehouse of that section alone."""

from __future__ import annotations

import json

import pytest

from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.scoped_sql.asking import ask_scoped, ask_scoped_bytes
from schoolhouse.analytics.scoped_sql.checking import allowed_functions, check, is_allowed_function
from schoolhouse.analytics.scoped_sql.scopes import MEANING, project_scope, section_scope
from schoolhouse.errors import QueryLimitExceeded, QuestionFailed, QuestionRefused
from schoolhouse.warehouse.connection import open_warehouse
from tests.analytics.scoped_sql.questions import OWN, TwoWarehouses, read
from tests.given import HOST

HONEST = read("honest.txt")
SCOPE = section_scope(OWN)


@pytest.mark.parametrize("heading", HONEST)
def test_an_honest_question_gets_the_right_answer(two: TwoWarehouses, heading: str) -> None:
    settings = {name: value for name, value in MEANING.items() if name != "allow_ddl"}
    with open_warehouse(two.alone, role="reader", who="tests") as operator:
        for question in HONEST[heading]:
            expected = json.loads(
                operator.ask_bytes(_plain(question), output_format="JSONCompact", why="tests", limits=settings)
            )
            answer = ask_scoped(two.whole, question, SCOPE, who="tests", sees_identifiers=True)
            ordered = "ORDER BY" in question and "user_id, event_type, timestamp" not in question
            got, wanted = answer.rows, expected["data"]
            assert (got if ordered else sorted(map(repr, got))) == (wanted if ordered else sorted(map(repr, wanted))), (
                question
            )
            assert list(answer.columns) == [column["name"] for column in expected["meta"]]


def _plain(question: str) -> str:
    """What the operator types: without a semicolon, which ClickHouse would not take before the settings."""
    return check(question).text


def test_there_are_enough_honest_questions() -> None:
    questions = [question for group in HONEST.values() for question in group]
    assert len(questions) >= 100
    assert len(set(questions)) == len(questions)


def test_a_statement_that_was_sent_again_counts_once(two: TwoWarehouses) -> None:
    for question in ("SELECT count() FROM raw_events", "SELECT count() FROM raw_events FINAL"):
        assert ask_scoped(two.whole, question, SCOPE, who="tests").rows == [[3]]


def test_a_project_sees_all_its_sections_and_no_other_project(two: TwoWarehouses) -> None:
    scope = project_scope(Project(HOST, 7, "7@torus.example", (42, 43, 44)))
    question = "SELECT DISTINCT section_id FROM raw_events ORDER BY section_id"
    rows = ask_scoped(two.whole, question, scope, who="tests").rows
    assert rows == [[0], [42], [43], [44]]
    other = project_scope(Project(HOST, 8, "8@torus.example", ()))
    assert ask_scoped(two.whole, "SELECT count() FROM raw_events", other, who="tests").rows == [[0]]


def test_answers_come_in_other_formats(two: TwoWarehouses) -> None:
    question = "SELECT event_type, count() AS events FROM raw_events GROUP BY event_type ORDER BY event_type"
    csv = ask_scoped_bytes(two.whole, question, SCOPE, who="tests", output_format="CSVWithNames")
    assert csv == b'"event_type","events"\n"page_attempt",1\n"page_viewed",2\n'
    assert ask_scoped_bytes(two.whole, question, SCOPE, who="tests", output_format="Parquet")[:4] == b"PAR1"


def test_limits_count_what_the_section_reads(two: TwoWarehouses) -> None:
    answer = ask_scoped(two.whole, "SELECT count() FROM raw_events", SCOPE, who="tests")
    assert answer.read_rows <= 300
    with pytest.raises(QueryLimitExceeded, match="more than 100,000 rows"):
        ask_scoped(two.whole, "SELECT number FROM numbers(100001)", SCOPE, who="tests")
    assert len(ask_scoped(two.whole, "SELECT number FROM numbers(100000)", SCOPE, who="tests").rows) == 100_000


@pytest.mark.parametrize(
    ("question", "place", "says"),
    [
        ("SELECT countt FROM raw_events", (1, 8), "There is no column countt"),
        ("SELECT\n  evnt_type\nFROM raw_events", (2, 3), "There is no column evnt_type"),
        ("SELECT user_id, count() FROM raw_events", (1, 8), "neither grouped by nor aggregated"),
        ("SELECT toDate('x', 1, 2, 3, 4)", None, "toDate"),
    ],
)
def test_what_the_engine_does_not_understand_is_said_plainly(
    two: TwoWarehouses, question: str, place: tuple[int, int] | None, says: str
) -> None:
    with pytest.raises(QuestionFailed) as caught:
        ask_scoped(two.whole, question, SCOPE, who="tests", sees_identifiers=True)
    assert says in caught.value.message
    assert caught.value.place == place
    assert "additional_table_filters" not in str(caught.value)


@pytest.mark.parametrize(
    ("question", "place", "says"),
    [
        ("", None, "no question"),
        ("DROP TABLE raw_events", (1, 1), "starts with SELECT or WITH"),
        ("SELECT 1;\nSELECT 2", (2, 1), "Only one question"),
        ("SELECT\n * FROM learners", (2, 9), "There is no table learners here"),
        ("SELECT file('/etc/passwd')", (1, 8), "The function file is not allowed"),
        ("SELECT 1 SETTINGS max_threads = 1", (1, 10), "SETTINGS cannot stand here"),
        ("SELECT 1\nFORMAT JSON", (2, 1), "FORMAT cannot stand here"),
        ("SELECT “x”", (1, 8), "Left double quotation mark (U+201C)"),
        ("SELECT 'x", (1, 8), "A string that starts here does not end"),
        ("SELECT count( FROM raw_events", (1, 20), "cannot be read from"),
        ("SELECT {x:String}", (1, 8), "{ cannot stand here"),
        ("SELECT 1,", (1, 9), "cannot end with"),
    ],
)
def test_a_refusal_names_the_place_and_the_reason(question: str, place: tuple[int, int] | None, says: str) -> None:
    with pytest.raises(QuestionRefused) as caught:
        check(question)
    assert says in caught.value.message
    assert caught.value.place == place


@pytest.mark.parametrize(
    "question",
    [
        "SELECT uniq(user_id) FROM raw_events",
        "SELECT count(DISTINCT user_id), uniqExact(e.user_id), uniqIf(user_id, success) FROM raw_events AS e",
        "SELECT avg(n) FROM (SELECT count() AS n FROM raw_events GROUP BY user_id)",
        "SELECT count(*), 2 * page_id, (1 + 2) * 3 FROM raw_events GROUP BY page_id",
        "SELECT row_number() OVER (PARTITION BY user_id ORDER BY timestamp) FROM raw_events",
        "SELECT row_number() OVER (PARTITION BY user_id ROWS UNBOUNDED PRECEDING) FROM raw_events",
        "SELECT count() OVER learner FROM raw_events WINDOW learner AS (PARTITION BY user_id)",
        "SELECT count() AS n FROM raw_events AS e GROUP BY e.user_id, page_id HAVING n > 0 ORDER BY n LIMIT 3",
        "SELECT count() FROM raw_events GROUP BY user_id WITH TOTALS",
        "SELECT count() AS n FROM raw_events GROUP BY user_id LIMIT 2 BY n UNION ALL SELECT 1",
        "SELECT 1 AS n FROM raw_events GROUP BY user_id UNION ALL SELECT 1",
    ],
)
def test_who_may_not_see_learners_may_count_them(two: TwoWarehouses, question: str) -> None:
    assert ask_scoped(two.whole, question, SCOPE, who="tests", sees_identifiers=False).rows


@pytest.mark.parametrize(
    "question",
    [
        "SELECT user_id FROM raw_events",
        "SELECT * FROM raw_events",
        "SELECT e.* FROM raw_events AS e",
        "SELECT DISTINCT * FROM raw_events",
        "SELECT TOP 5 * FROM raw_events",
        "SELECT * EXCEPT (statement) FROM raw_events",
        "SELECT 1, * FROM raw_events",
        "SELECT COLUMNS('user') FROM raw_events",
        "SELECT any(user_id) FROM raw_events",
        "SELECT groupArray(user_id) FROM raw_events",
        "SELECT toString(user_id) FROM raw_events",
        "SELECT cityHash64(user_id) FROM raw_events",
        "SELECT count() FROM raw_events WHERE user_id = '901'",
        "SELECT uniq(user_id = '901') FROM raw_events",
        "SELECT countIf(user_id = '901') FROM raw_events",
        "SELECT count() FROM raw_events GROUP BY user_id = '901'",
        "SELECT count() FROM raw_events WHERE `user_id` LIKE '9%'",
        'SELECT "user_id" FROM raw_events',
        "SELECT USER_ID FROM raw_events",
        "SELECT statement FROM raw_events",
        "SELECT uniq(statement) FROM raw_events",
        "SELECT JSONExtractString(statement, 'actor') FROM raw_events",
        "SELECT count() FROM raw_events JOIN (SELECT '901' AS user_id) AS x USING (user_id)",
        "SELECT u FROM (SELECT user_id AS u FROM raw_events)",
        "SELECT untuple(tuple(*)) FROM raw_events",
        "SELECT count() FROM raw_events ORDER BY user_id",
        "SELECT arrayMap(x -> user_id, [1]) FROM raw_events",
        "SELECT raw_events.user_id FROM raw_events",
        "SELECT uniq(page_id, user_id) FROM raw_events",
        "SELECT count() FROM raw_events GROUP BY user_id BETWEEN '901' AND '901'",
        "SELECT count() FROM raw_events GROUP BY user_id REGEXP '901'",
        "SELECT count() FROM raw_events GROUP BY user_id GLOBAL IN ('901')",
        "SELECT count() FROM raw_events GROUP BY user_id <=> '901'",
        "SELECT count() FROM raw_events GROUP BY user_id IS NOT DISTINCT FROM '901'",
        "SELECT count() FROM raw_events AS e GROUP BY e.user_id IS NULL",
        "SELECT count() FROM raw_events GROUP BY user_id || ''",
        "SELECT count() FROM raw_events GROUP BY user_id :: String",
        "SELECT count() FROM raw_events GROUP BY user_id.size",
        "SELECT count() FROM raw_events GROUP BY page_id, user_id = '901'",
        "SELECT count() OVER (PARTITION BY user_id REGEXP '901') FROM raw_events",
        'SELECT "user_id.size" FROM raw_events',
        "SELECT enrollment_id, avg(scaled_score) FROM raw_events GROUP BY enrollment_id",
        "SELECT count() FROM raw_events WHERE registration = 'x'",
        "SELECT entry FROM experiment_attributions",
        "SELECT assignment_key, assignment_id FROM experiment_attributions",
        "SELECT 1 FROM experiment_attributions WHERE attribution_hash = lower(hex(SHA256(raw_event_hash || ':901')))",
    ],
)
def test_who_may_not_see_learners_does_not(question: str) -> None:
    with pytest.raises(QuestionRefused):
        check(question, sees_identifiers=False)


def test_the_lists_of_functions_and_tables_know_the_engine(two: TwoWarehouses) -> None:
    with open_warehouse(two.whole, role="reader", who="tests") as warehouse:
        functions = {row[0] for row in warehouse.ask("SELECT name FROM system.functions", why="tests").rows}
        in_from = {row[0] for row in warehouse.ask("SELECT name FROM system.table_functions", why="tests").rows}
    reaching = {"file", "joinGet", "dictGet", "getSetting", "hasColumnInTable", "sleep", "currentUser", "aiGenerate"}
    assert reaching <= functions
    assert not [name for name in reaching if is_allowed_function(name)]
    # a name may be a harmless function and a table function: those are told apart by where they stand
    assert {name for name in in_from if is_allowed_function(name)} == {
        "numbers", "generateSeries", "generate_series", "format",
    }  # fmt: skip
    unknown = {name for name in allowed_functions() if name not in {known.lower() for known in functions}}
    assert len(unknown) < 60  # types, and words that the engine reads as functions
