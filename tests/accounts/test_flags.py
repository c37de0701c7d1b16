"""Flags are staged by share, the same everywhere, and can be chosen for single subjects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from schoolhouse.accounts import flags
from schoolhouse.errors import UsageError

SECTIONS = [f"{number}@https://torus.example" for number in range(2000)]


def test_with_nothing_said_everything_is_on(engine: Engine) -> None:
    assert all(flags.is_on(engine, flag, SECTIONS[0]) for flag in flags.FLAGS)


def test_a_share_holds_about_that_many_and_always_the_same(engine: Engine) -> None:
    places = [flags.place_of("section-analytics", section) for section in SECTIONS]
    assert sum(place < 5 for place in places) == pytest.approx(100, abs=35)
    assert sum(place < 50 for place in places) == pytest.approx(1000, abs=100)
    flags.set_share(engine, "section-analytics", 5)
    for section, place in list(zip(SECTIONS, places, strict=True))[:30]:
        assert flags.is_on(engine, "section-analytics", section) is (place < 5)
    flags.set_share(engine, "section-analytics", 0)
    assert not any(flags.is_on(engine, "section-analytics", section) for section in SECTIONS[:30])


@given(st.text(), st.sampled_from(sorted(flags.FLAGS)))
def test_a_place_is_inside_the_whole(subject: str, flag: str) -> None:
    assert 0 <= flags.place_of(flag, subject) < 100


def test_a_choice_for_one_subject_wins_over_the_share(engine: Engine) -> None:
    flags.set_share(engine, "project-analytics", 0)
    flags.choose(engine, "project-analytics", "7@https://torus.example", is_on=True)
    assert flags.is_on(engine, "project-analytics", "7@https://torus.example")
    assert not flags.is_on(engine, "project-analytics", "8@https://torus.example")
    flags.choose(engine, "project-analytics", "7@https://torus.example", is_on=None)
    assert not flags.is_on(engine, "project-analytics", "7@https://torus.example")
    listed = {flag["flag"]: flag for flag in flags.list_flags(engine)}
    assert listed["project-analytics"]["share_percent"] == 0
    assert listed["clickhouse-olap"]["share_percent"] == 100


def test_unknown_flags_and_shares_are_refused(engine: Engine) -> None:
    with pytest.raises(UsageError):
        flags.is_on(engine, "no-such-flag")
    with pytest.raises(UsageError):
        flags.set_share(engine, "clickhouse-olap", 101)
