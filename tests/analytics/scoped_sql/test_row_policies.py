"""On a server, row policies hold custom SQL to its scope a second time.

Their conditions run here on the embedded engine, which reads policies from a users file. `CREATE ROW POLICY` itself is
only parsed: this engine has nowhere to keep what it creates.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schoolhouse.analytics.scoped_sql import row_policies
from schoolhouse.analytics.scoped_sql.scopes import READABLE, section_scope
from schoolhouse.errors import SettingsError, WarehouseError
from schoolhouse.observe import query_tag
from schoolhouse.settings import Settings, load_settings
from schoolhouse.warehouse.connection import Warehouse, open_warehouse
from tests.analytics.scoped_sql.questions import COPIED, OWN, TwoWarehouses, read

ROOT = Path(__file__).parents[3]
DATABASES = ("whole", "alone")
HELD = ("boolean tricks", "set operations", "sub-queries", "joins", "CTEs", "aliases that shadow", "our other tables")
AROUND_FILTERS = (
    "SELECT count(), groupUniqArray(section_id) FROM merge(currentDatabase(), '^raw_events$')",
    "SELECT count() FROM merge(currentDatabase(), '.*events')",
    "SELECT sum(section_id) FROM remote('127.0.0.1', currentDatabase(), 'raw_events')",
    "SELECT count() FROM raw_events SETTINGS additional_table_filters = {}",
)


def on_server(cluster: str = "", **given: Any) -> Settings:
    return load_settings(
        **{"clickhouse_database": "whole", **given},
        clickhouse_host="127.0.0.1",
        clickhouse_cluster=cluster,
        clickhouse_questions_user="questions",
    )


def conditions() -> dict[str, str]:
    """The policies' conditions by table, out of the statements that a server would run."""
    texts = [sql for sql in row_policies.statements(on_server()) if "schoolhouse_scope" in sql]
    found = [re.search(r"ON `whole`\.`(\w+)` FOR SELECT\nUSING (.*)\nTO `questions`", sql, re.DOTALL) for sql in texts]
    return {each[1]: each[2] for each in found if each}


def grants(database: str) -> list[str]:
    """The account's rights, as a users file says them: without the account."""
    texts = row_policies.statements(on_server(clickhouse_database=database))
    return [found[0] for sql in texts if (found := re.search(r"^GRANT .*(?= TO )", sql, re.MULTILINE))]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two filled databases in one directory, made by a process of its own: one process holds one directory."""
    made = tmp_path_factory.mktemp("policies")
    fill = (
        "import sys; from schoolhouse.settings import load_settings\n"
        "from tests.analytics.scoped_sql.questions import fill\n"
        "fill(*(load_settings(data_dir=sys.argv[1], clickhouse_database=name) for name in ('whole', 'alone')))"
    )
    subprocess.run([sys.executable, "-c", fill, str(made)], check=True, timeout=120, cwd=ROOT)
    return made


def asked(directory: Path, tag: str, questions: list[str]) -> list[tuple[str, Any, Any]]:
    """Each question with its outcome in the whole database and in the one that holds one section alone."""
    given = {
        "grants": [grant for database in DATABASES for grant in grants(database)],
        "policies": {database: conditions() for database in DATABASES},
        "tag": tag,
        "questions": [[database, question] for question in questions for database in DATABASES],
    }
    command = [sys.executable, "-m", "tests.analytics.scoped_sql.engine_with_policies", str(directory)]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    return list(zip(questions, outcomes[::2], outcomes[1::2], strict=True))


def test_row_policies_alone_answer_as_if_the_section_were_alone(directory: Path) -> None:
    """No filter, no check of the text: only the rights and the tag."""
    questions = [each for heading in HELD for each in read("hostile.txt")[heading]]
    found = asked(directory, query_tag("tests", "tests", section_scope(OWN).tag), [*questions, *AROUND_FILTERS])
    assert [each for each in found if each[1] != each[2]] == []
    seen = {question: whole for question, whole, _ in found}
    kind, rows = seen[AROUND_FILTERS[0]]
    assert kind == "rows"
    count, sections = json.loads(rows[0])
    assert int(count) > 0
    assert [int(section) for section in sections] == [42]


def test_a_project_s_tag_shows_the_project_and_no_rows_without_one(directory: Path) -> None:
    tag = query_tag("tests", "tests", {"platform": OWN.platform, "project_id": 7})
    question = "SELECT arraySort(groupUniqArray(section_id)), groupUniqArray(project_id) FROM raw_events"
    ((_, whole, alone),) = asked(directory, tag, [question])
    assert [[int(each) for each in column] for column in json.loads(whole[1][0])] == [[0, 42, 43, 44], [7]]
    assert [[int(each) for each in column] for column in json.loads(alone[1][0])] == [[42], [7]]


@pytest.mark.parametrize(
    "tag",
    [
        "",
        query_tag("tests", "tests"),
        '{"scope":{"platform":"https://torus.example"}}',
        '{"scope":{"section_id":42}}',
        "no JSON",
    ],
    ids=["none", "without scope", "without section", "without platform", "unreadable"],
)
def test_a_query_whose_tag_names_no_scope_sees_nothing(directory: Path, tag: str) -> None:
    questions = [f"SELECT count() FROM {table}" for table in READABLE]
    for question, whole, alone in asked(directory, tag, questions):
        assert (whole, alone) == (["rows", ["[0]"]], ["rows", ["[0]"]]), question


@pytest.mark.parametrize("cluster", ["", "campus-1"])
def test_the_engine_can_read_every_statement(two: TwoWarehouses, cluster: str) -> None:
    wanted = row_policies.statements(on_server(cluster))
    with open_warehouse(two.whole, role="reader", who="tests") as warehouse:
        for sql in wanted:
            formatted = warehouse.ask("SELECT formatQuery({sql:String})", {"sql": sql}, why="tests").value()
            assert "questions" in formatted
            assert ("ON CLUSTER" in formatted) == bool(cluster)
    assert set(conditions()) == set(COPIED)
    granted = [sql for sql in wanted if "GRANT" in sql]
    assert len(granted) == (len(READABLE) + len(COPIED) if cluster else len(READABLE))


def test_only_a_server_with_an_account_for_questions_has_policies() -> None:
    for settings in (load_settings(), load_settings(clickhouse_host="127.0.0.1")):
        with pytest.raises(SettingsError, match="no account to give rights to"):
            row_policies.statements(settings)


@pytest.mark.parametrize("handle", ["server"])
def test_a_server_that_refuses_the_rights_says_who_can_give_them(warehouse: Warehouse) -> None:
    """The stand-in keeps no policies, as a server whose CLICKHOUSE_USER may not manage access."""
    warehouse.settings = warehouse.settings.model_copy(update={"clickhouse_questions_user": "questions"})
    with pytest.raises(WarehouseError, match="rights of questions could not be set") as raised:
        row_policies.apply(warehouse)
    assert "warehouse access" in raised.value.hint
