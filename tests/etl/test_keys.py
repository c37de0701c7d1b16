"""Keys of bundles, with both forms of their time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schoolhouse.etl.keys import parse_key
from tests.etl.conftest import KEY


def test_the_key_of_the_documents_is_read() -> None:
    parsed = parse_key(KEY)
    assert parsed is not None
    assert (parsed.section_id, parsed.category, parsed.bundle_id) == ("123", "video", "bundle")
    assert parsed.time == datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("2026-08-01T12-34-56.789012Z_ABC", datetime(2026, 8, 1, 12, 34, 56, 789012, UTC)),
        ("2026-08-01T12:34:56.789012Z_ABC", datetime(2026, 8, 1, 12, 34, 56, 789012, UTC)),
        ("2026-08-01T12:34:56Z_ABC", datetime(2026, 8, 1, 12, 34, 56, tzinfo=UTC)),
        ("2026-08-01T12-34-56.7Z_ABC", datetime(2026, 8, 1, 12, 34, 56, 700000, UTC)),
        ("2026-08-01T12-34-56.789012345Z_ABC", datetime(2026, 8, 1, 12, 34, 56, 789012, UTC)),
        ("2026-08-01T12-34-56_ABC", datetime(2026, 8, 1, 12, 34, 56, tzinfo=UTC)),
    ],
)
def test_both_forms_of_the_time_are_read(name: str, time: datetime) -> None:
    parsed = parse_key(f"archive/2026/section/42/attempt_evaluated/{name}.jsonl")
    assert parsed is not None
    assert (parsed.time, parsed.bundle_id, parsed.section_id) == (time, "ABC", "42")


@pytest.mark.parametrize("name", ["bundle", "2026-13-01T12-34-56Z_ABC", "2026-08-01", "1722515696_ABC"])
def test_a_name_without_a_time_is_a_bundle_all_the_same(name: str) -> None:
    parsed = parse_key(f"section/42/video/{name}.jsonl")
    assert parsed is not None
    assert (parsed.time, parsed.bundle_id) == (None, name)


def test_only_a_section_partition_gives_a_section() -> None:
    parsed = parse_key("project/7/authoring/2026-08-01T12-34-56Z_A.jsonl")
    assert parsed is not None
    assert parsed.section_id is None


@pytest.mark.parametrize("key", ["", "x.jsonl", "section/42/x.jsonl", "section/42/video/x.json", "section/42/video/"])
def test_other_keys_are_no_bundles(key: str) -> None:
    assert parse_key(key) is None
