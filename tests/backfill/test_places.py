"""Addresses: which are understood, and which hosts and directories are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from schoolhouse.backfill.patterns import fixed_prefix, matching, pattern_regex
from schoolhouse.backfill.places import Place, place_of
from schoolhouse.backfill.requests import read_request
from schoolhouse.backfill.runs import create_run, list_runs
from schoolhouse.database import open_database
from schoolhouse.errors import AccessRefused, SchoolhouseError, UsageError
from schoolhouse.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "archive").mkdir()
    return load_settings(
        data_dir=tmp_path / "data",
        aws_endpoint_url="http://127.0.0.1:4566",
        backfill_allowed_hosts="minio.example:9000, store.example",
        backfill_local_dirs=str(tmp_path / "archive"),
    )


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://bucket/section/**/*.jsonl", Place("bucket", "section/**/*.jsonl")),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a/{1..9}.jsonl", Place("bucket", "a/{1..9}.jsonl")),
        ("https://s3.us-east-1.amazonaws.com/bucket/a?.jsonl", Place("bucket", "a?.jsonl")),
        ("https://bucket.s3.amazonaws.com/a b%20c.jsonl", Place("bucket", "a b c.jsonl")),
        ("http://127.0.0.1:4566/bucket/a.jsonl", Place("bucket", "a.jsonl")),
        ("https://minio.example:9000/bucket/*", Place("bucket", "*", "https://minio.example:9000")),
        ("https://store.example/bucket/*", Place("bucket", "*", "https://store.example")),
    ],
)
def test_an_address_names_its_place(settings: Settings, address: str, place: Place) -> None:
    assert place_of(address, settings) == place


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://localhost/bucket/key",
        "http://127.0.0.1:4567/bucket/key",
        "https://127.0.0.1:4566/bucket/key",
        "https://ec2-1-2-3-4.compute.amazonaws.com/bucket/key",
        "https://bucket.s3.amazonaws.com.evil.example/key",
        "https://evil.example/s3.amazonaws.com/key",
        "https://minio.example/bucket/key",
        "https://bucket.s3.us-east-1.amazonaws.com:8443/key",
        "http://bucket.s3.us-east-1.amazonaws.com/key",
        "/etc/passwd",
        "/etc/*",
        "file:///etc/passwd",
    ],
)
def test_other_hosts_and_directories_are_refused(settings: Settings, address: str) -> None:
    with pytest.raises(AccessRefused):
        place_of(address, settings)


@pytest.mark.parametrize(
    "address",
    [
        "gopher://host/key",
        "bucket/key",
        "s3://",
        "s3://bucket",
        "s3:///key",
        "https://store.example/b/k?X-Amz-Signature=s3cret",
        "https://user:s3cret@store.example/b/k",
        "",
    ],
)
def test_what_is_no_address_is_told_without_its_secrets(settings: Settings, address: str) -> None:
    with pytest.raises(UsageError) as caught:
        place_of(address, settings)
    assert "s3cret" not in str(caught.value)


def test_a_path_cannot_leave_its_directory(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}")
    (tmp_path / "archive" / "way_out").symlink_to(tmp_path)
    for path in (f"{tmp_path}/archive/../*.jsonl", f"{tmp_path}/archive/way_out/*.jsonl", f"{tmp_path}/*.jsonl"):
        with pytest.raises(SchoolhouseError):
            list(matching(place_of(path, settings), settings, None))
    (tmp_path / "archive" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    assert list(matching(place_of(f"{tmp_path}/archive/*.jsonl", settings), settings, None)) == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a/*.jsonl", ["a/b.jsonl"], ["a/b/c.jsonl", "a/b.json"]),
        ("a/**/*.jsonl", ["a/b.jsonl", "a/b/c.jsonl"], ["b/a/c.jsonl"]),
        ("a/**", ["a/b/c", "a/"], ["b"]),
        ("a/{x,y}.jsonl", ["a/x.jsonl", "a/y.jsonl"], ["a/z.jsonl"]),
        ("a/{08..11}", ["a/08", "a/10"], ["a/8", "a/12"]),
        ("a/b?.jsonl", ["a/b1.jsonl"], ["a/b.jsonl", "a/b/.jsonl"]),
        ("a.b+c", ["a.b+c"], ["aXb+c"]),
    ],
)
def test_patterns_match_as_clickhouses_do(pattern: str, yes: list[str], no: list[str]) -> None:
    regex = pattern_regex(pattern)
    assert [key for key in yes if not regex.fullmatch(key)] == []
    assert [key for key in no if regex.fullmatch(key)] == []
    assert all(key.startswith(fixed_prefix(pattern)) for key in yes)


@pytest.mark.parametrize(("given", "reason"), [("{1..10001}", "more than 10000"), ("{9..1}", "counts down")])
def test_a_range_that_would_leave_objects_out_is_refused_when_the_run_is_made(
    settings: Settings, tmp_path: Path, given: str, reason: str
) -> None:
    settings = settings.model_copy(update={"data_dir": tmp_path})
    request = read_request("manual", {"s3_pattern": f"s3://bucket/section/{given}/*.jsonl"})
    engine = open_database(settings)
    with pytest.raises(UsageError, match=reason):
        create_run(engine, settings, request, initiated_by="tests")
    assert list_runs(engine, "manual") == []
    engine.dispose()


def test_the_widest_range_takes_its_last_number() -> None:
    regex = pattern_regex("section/{1..10000}/*")
    assert [number for number in (1, 10_000) if not regex.fullmatch(f"section/{number}/a")] == []
