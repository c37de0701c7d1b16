"""Configurations of xapi-db-load are read as they are; what is wrong in them is named."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from schoolhouse.errors import UsageError
from schoolhouse.simulate.campus import chunks_of, course_of, sections_of
from schoolhouse.simulate.load_config import parse_config, read_config, read_load_config

EXAMPLES = sorted(path.name for path in files("schoolhouse.simulate.configs").iterdir() if path.name.endswith(".yaml"))
# The common settings as the documentation of xapi-db-load's first releases gives them.
FIRST_RELEASES = """
backend: csv_file
csv_output_destination: logs/
log_dir: logs
num_batches: 3
batch_size: 100
start_date: 2014-01-01
end_date: 2023-11-27
course_length_days: 120
num_organizations: 3
num_actors: 10
num_course_sizes: {small: 1, medium: 1}
course_size_makeup:
  small: {actors: 5, problems: 20, videos: 10, chapters: 3, sequences: 10, verticals: 20, forum_posts: 20}
  medium: {actors: 7, problems: 40, videos: 20, chapters: 4, sequences: 20, verticals: 30, forum_posts: 40}
"""
MAKEUP = ("actors", "problems", "videos", "chapters", "sequences", "verticals", "forum_posts")
CLICKHOUSE = {"db_host": "localhost", "db_port": 8443, "db_username": "ch_admin", "db_password": "secret"}


def config(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(FIRST_RELEASES)
    made |= changes
    return {key: value for key, value in made.items() if value is not None}


def test_the_keys_of_the_first_releases_are_understood() -> None:
    read = parse_config(config(), "test.yaml")
    plan = read.plan()
    assert read.backend == "csv"
    assert read.statements == plan.statements == 300
    assert (plan.sections, plan.learners, plan.organizations) == (2, 10, 3)
    assert (plan.start, plan.days, plan.term_days) == (date(2014, 1, 1), 3617, 120)
    assert [section.learners for section in sections_of(plan)] == [5, 7]
    assert sum(chunk.statements for chunk in chunks_of(plan)) == 300


def test_a_course_has_what_its_size_says() -> None:
    plan = parse_config(config(), "test.yaml").plan()
    course = course_of(plan, 1)
    assert (course.pages, course.items, int((course.page_video_seconds > 0).sum())) == (30, 40, 20)
    assert (int(course.page_chapter.max()) + 1, int(course.page_sequence.max()) + 1) == (4, 20)


def test_the_keys_of_3_1_are_understood() -> None:
    read = parse_config(
        config(backend="ralph", num_batches=None, num_xapi_batches=7, num_workers=3, num_course_publishes=9)
        | CLICKHOUSE
        | {"lrs_url": "http://lrs/xAPI/statements", "lrs_username": "r", "lrs_password": "s", "log_max_bytes": 0},
        "test.yaml",
    )
    assert read.backend == "ralph"
    assert (read["num_batches"], read["num_workers"], read["num_course_publishes"]) == (7, 3, 9)
    assert read["lrs_request_timeout"] == 120


@pytest.mark.parametrize(("port", "is_secure"), [(8443, True), (9440, True), (8123, False), (None, False), (443, True)])
def test_the_port_tells_whether_the_connection_is_encrypted(port: int | None, is_secure: bool) -> None:
    keys = config(backend="clickhouse") | CLICKHOUSE | {"db_port": port}
    read = parse_config(keys, "test.yaml")
    assert read.is_secure is is_secure


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_sound(name: str) -> None:
    with_path = Path(str(files("schoolhouse.simulate.configs").joinpath(name)))
    assert read_config(str(with_path)).statements == 3_000


def test_there_is_an_example_for_every_backend() -> None:
    root = files("schoolhouse.simulate.configs")
    backends = {yaml.safe_load(root.joinpath(name).read_text())["backend"] for name in EXAMPLES}
    assert backends == {"csv", "csv_file", "clickhouse", "ralph_clickhouse", "vector", "chdb"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"batchsize": 5}, "unknown key 'batchsize'"),
        ({"batch_size": None}, "lacks batch_size"),
        ({"backend": None}, "lacks backend"),
        ({"backend": "citus"}, "no backend 'citus'"),
        ({"backend": "clickhouse"}, "lacks db_host, db_username"),
        ({"batch_size": "many"}, "batch_size must be a whole number"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"start_date": "yesterday"}, "start_date must be a day"),
        ({"end_date": date(2014, 1, 1)}, "end_date must be later"),
        ({"course_length_days": 4_000}, "course_length_days must be less"),
        ({"num_actors": 6}, "medium.actors is 7, more than num_actors"),
        ({"num_course_sizes": {"huge": 1}}, "'huge' of num_course_sizes is not in course_size_makeup"),
        ({"num_course_sizes": {"small": 0}}, "no course at all"),
        ({"course_size_makeup": {"small": {"actors": 5}, "medium": {}}}, "course_size_makeup.small lacks problems"),
        ({"num_xapi_batches": 4}, "num_batches twice"),
        ({"csv_load_from_s3_after": True}, "starts with s3://"),
        ({"csv_load_from_s3_after": "perhaps"}, "load_from_s3_after must be true or false"),
        ({"s3_source_location": "s3://bucket/here"}, "must be an https address"),
        ({"s3_source_location": "http://elsewhere/bucket"}, "must be an https address"),
        ({"s3_source_location": "https:///bucket"}, "must be an https address"),
        ({"s3_source_location": "https://[bucket"}, "must be an https address"),
        ({"backend": ["csv"]}, "backend must be a text"),
        ({"csv_output_destination": ""}, "lacks csv_output_destination"),
        ({"backend": "clickhouse"} | CLICKHOUSE | {"db_host": ""}, "lacks db_host"),
        ({"lrs_request_timeout": 0}, "lrs_request_timeout must be at least 1"),
        ({"lms_url": "campus"}, "lms_url must be an address"),
        ({"num_course_sizes": {"small": True}}, "num_course_sizes.small must be a whole number"),
        ({"num_course_sizes": {"small": 10**12}}, "num_course_sizes come to 1,000,000,000,000; at most 100,000"),
        ({"num_actors": 20_000_001}, "num_actors come to 20,000,001"),
        ({"num_organizations": 10_001}, "num_organizations come to 10,001"),
        ({"end_date": date(2298, 12, 31)}, "the days from start_date to end_date come to"),
        ({"start_date": date(1, 1, 1)}, "start_date and end_date must be between 1990-01-01 and 2298-12-31"),
        (
            {
                "num_course_sizes": {"small": 1},
                "course_size_makeup": {"small": dict.fromkeys(MAKEUP, 3) | {"videos": -3}},
            },
            "course_size_makeup.small.videos must be a whole number",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_config(config(**changes), "test.yaml")


def test_an_unknown_key_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(UsageError) as caught:
        parse_config(config(num_xapi_batch=5), "test.yaml")
    assert "Did you mean num_xapi_batches?" in caught.value.hint
    assert "course_length_days" in caught.value.hint


def test_secrets_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLICKHOUSE_PASSWORD", "AWS_SECRET_ACCESS_KEY", "RALPH_PASSWORD"):
        monkeypatch.setenv(f"XAPI_DB_LOAD_{name}", f"the {name}")
    read = parse_config(config(db_password="old"), "test.yaml")
    assert (read["db_password"], read["s3_secret"], read["lrs_password"]) == (
        "the CLICKHOUSE_PASSWORD",
        "the AWS_SECRET_ACCESS_KEY",
        "the RALPH_PASSWORD",
    )


def test_a_load_from_s3_needs_only_its_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "load.yaml"
    path.write_text(yaml.safe_dump(CLICKHOUSE | {"s3_source_location": "https://b.s3.amazonaws.com/run/"}))
    assert read_load_config(str(path))["s3_source_location"] == "https://b.s3.amazonaws.com/run/"
    path.write_text(yaml.safe_dump(CLICKHOUSE))
    with pytest.raises(UsageError, match="lacks s3_source_location"):
        read_load_config(str(path))


def test_a_file_that_is_missing_or_no_yaml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read"):
        read_config(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("backend: [")
    with pytest.raises(UsageError, match="is no YAML"):
        read_config(str(tmp_path / "bad.yaml"))
    (tmp_path / "day.yaml").write_text("start_date: 2014-02-30")
    with pytest.raises(UsageError, match="is no YAML: day is out of range for month"):
        read_config(str(tmp_path / "day.yaml"))
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UsageError, match="no keys"):
        read_config(str(tmp_path / "list.yaml"))
