"""Keys of bundles: written one way, read both ways, and the same content always gets the same id."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.collect.bundles import BundleGroup, BundleKey, bundle_id, format_timestamp, parse_key
from schoolhouse.errors import InputError

part = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_characters="/\x7f"), min_size=1).filter(
    lambda text: text not in {".", ".."}
)
word = st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True)
moments = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000)


@given(partition=word, partition_id=part, category=word, moment=moments, content=st.binary(), prefix=st.lists(word))
def test_a_key_read_back_is_the_key_written(partition, partition_id, category, moment, content, prefix):
    key = BundleKey(BundleGroup(partition, partition_id, category), moment, bundle_id(content), "/".join(prefix))
    assert parse_key(str(key)) == key


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-01T12-34-56.789012Z", datetime(2026, 8, 1, 12, 34, 56, 789012, UTC)),
        ("2026-08-01T12:34:56.789012Z", datetime(2026, 8, 1, 12, 34, 56, 789012, UTC)),
        ("2024-01-01T12-00-00.000Z", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        ("2024-01-01T12:00:00Z", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        ("2024-01-01T12:00:00+00:00", datetime(2024, 1, 1, 12, tzinfo=UTC)),
        ("2024-01-01T12-00-00.7", datetime(2024, 1, 1, 12, 0, 0, 700000, UTC)),
        ("2024-01-01T12-00-00.123456789Z", datetime(2024, 1, 1, 12, 0, 0, 123456, UTC)),
    ],
)
def test_both_forms_of_a_time_are_read(text, moment):
    key = parse_key(f"archive/2026/section/42/attempt_evaluated/{text}_ABC.jsonl")
    assert (key.timestamp, key.bundle_id, key.section_id) == (moment, "ABC", "42")


def test_times_are_written_in_utc_without_colons():
    moment = datetime(2026, 8, 1, 14, 34, 56, 5, timezone(timedelta(hours=2)))
    assert format_timestamp(moment) == "2026-08-01T12-34-56.000005Z"


def test_the_key_of_an_oli_torus_bundle_is_read():
    key = parse_key("section/123/video/2024-01-01T12-00-00.000Z_bundle.jsonl")
    assert key.group == BundleGroup("section", "123", "video")
    assert (key.timestamp, key.bundle_id, key.prefix) == (datetime(2024, 1, 1, 12, tzinfo=UTC), "bundle", "")


def test_what_stands_before_the_section_is_the_prefix():
    assert parse_key("a/b/section/1/page_viewed/2024-01-01T12-00-00Z_X.jsonl").prefix == "a/b"


@pytest.mark.parametrize(
    "name", ["bundle", "2026-13-01T12-34-56Z_ABC", "2026-02-31T12-34-56Z_ABC", "2026-08-01", "yesterday_X", "_"]
)
def test_a_name_without_a_time_is_a_bundle_all_the_same(name):
    key = parse_key(f"section/42/video lecture/{name}.jsonl")
    assert (key.timestamp, key.bundle_id) == (None, name)
    assert str(key) == f"section/42/video lecture/{name}.jsonl"


def test_only_a_section_partition_gives_a_section():
    assert parse_key("project/7/authoring/2026-08-01T12-34-56Z_A.jsonl").section_id is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x.jsonl",
        "2024-01-01T12-00-00Z_X.jsonl",
        "section/1/2024-01-01T12-00-00Z_X.jsonl",
        "section/1/video/2024-01-01T12-00-00Z_X.json",
        "section/1/video/",
        "section/1/video/.jsonl",
        "section//video/2024-01-01T12-00-00Z_X.jsonl",
        "section/../video/2024-01-01T12-00-00Z_X.jsonl",
    ],
)
def test_other_keys_are_no_bundles(key):
    assert parse_key(key) is None


@pytest.mark.parametrize(
    "group", [("", "1", "video"), ("section", "1/2", "video"), ("section", "1", "a\nb"), ("a b", "1", "video")]
)
def test_a_group_that_cannot_be_part_of_a_key_is_refused(group):
    with pytest.raises(InputError, match="cannot be"):
        BundleGroup(*group)


def test_equal_content_has_an_equal_id_and_other_content_another():
    assert bundle_id(b"{}\n{}") == bundle_id(b"{}\n{}") != bundle_id(b"{}")
    assert len(bundle_id(b"")) == 32
