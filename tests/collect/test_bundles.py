"""Keys of bundles: written one way, read both ways, and the same content always gets the same id."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.collect.bundles import BundleGroup, BundleKey, bundle_id, format_timestamp, parse_key, parse_timestamp
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
        ("2024-01-01T12-00-00.123456789Z", datetime(2024, 1, 1, 12, 0, 0, 123456, UTC)),
    ],
)
def test_both_forms_of_a_time_are_read(text, moment):
    assert parse_timestamp(text) == moment


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
    "key",
    [
        "",
        "2024-01-01T12-00-00Z_X.jsonl",
        "section/1/2024-01-01T12-00-00Z_X.jsonl",
        "section/1/video/2024-01-01T12-00-00Z_X.json",
        "section/1/video/2024-01-01T12-00-00Z.jsonl",
        "section/1/video/2024-02-31T12-00-00Z_X.jsonl",
        "section/1/video/yesterday_X.jsonl",
        "section//video/2024-01-01T12-00-00Z_X.jsonl",
        "section/../video/2024-01-01T12-00-00Z_X.jsonl",
    ],
)
def test_a_key_that_names_no_bundle_is_refused(key):
    with pytest.raises(InputError):
        parse_key(key)


@pytest.mark.parametrize("group", [("", "1", "video"), ("section", "1/2", "video"), ("section", "1", "a b")])
def test_a_group_that_cannot_be_part_of_a_key_is_refused(group):
    with pytest.raises(InputError, match="cannot be"):
        BundleGroup(*group)


def test_equal_content_has_an_equal_id_and_other_content_another():
    assert bundle_id(b"{}\n{}") == bundle_id(b"{}\n{}") != bundle_id(b"{}")
    assert len(bundle_id(b"")) == 32
