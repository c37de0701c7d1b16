"""`user_attempts`: features, each event once, and the states of the learner."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schoolhouse.lake.models.parameters import Parameters
from schoolhouse.lake.transform import DATASETS, STATES, attempts_in_parts, learner_states, transform
from schoolhouse.lake.transform.attempts import irt_topics
from tests.lake.messages import attempt, raw


def rows(*messages: dict[str, Any], **more: Any) -> pl.DataFrame:
    return transform("user_attempts", raw("user.attempts", *messages), **more).collect()


def row(**more: Any) -> dict[str, Any]:
    return rows(attempt(**more)).to_dicts()[0]


def test_the_fixed_columns_have_their_types_and_each_topic_adds_two() -> None:
    frame = rows(attempt(0), attempt(1, topic="geometry"))
    fixed = DATASETS["user_attempts"].schema
    assert frame.schema == fixed | {
        f"irt_ability_{topic}_{when}": pl.Float32() for topic in ("algebra", "geometry") for when in ("before", "after")
    }
    assert irt_topics(frame.columns) == ["algebra", "geometry"]


def test_the_ability_stands_in_the_column_of_the_topic_that_was_practised() -> None:
    frame = rows(attempt(0), attempt(1, topic="geometry"), attempt(2))
    assert frame["irt_ability_geometry_before"].to_list() == [None, 0.0, None]
    first, _, second = frame["irt_ability_algebra_before"].to_list()
    assert first == 0.0
    assert second == frame["irt_ability_algebra_after"][0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("milliseconds", "category"),
    [
        (0, "very_fast"),
        (1_999, "very_fast"),
        (2_000, "fast"),
        (4_999, "fast"),
        (5_000, "normal"),
        (14_999, "normal"),
        (15_000, "slow"),
        (29_999, "slow"),
        (30_000, "very_slow"),
        (3_600_000, "very_slow"),
    ],
)
def test_a_response_time_falls_into_the_documented_category(milliseconds: int, category: str) -> None:
    found = row(time_taken_ms=milliseconds)
    assert found["response_time_category"] == category
    assert found["response_time_seconds"] == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("time", "hour", "weekday", "weekend", "date"),
    [
        ("2025-09-01T00:00:00Z", 0, 0, False, (2025, 9, 1)),  # a Monday
        ("2025-09-05T23:59:59.999Z", 23, 4, False, (2025, 9, 5)),
        ("2025-09-06T00:00:00Z", 0, 5, True, (2025, 9, 6)),
        ("2025-09-07T12:00:00Z", 12, 6, True, (2025, 9, 7)),
        ("2025-12-31T23:00:00-02:00", 1, 3, False, (2026, 1, 1)),
    ],
)
def test_time_features_are_of_utc_and_the_week_begins_with_monday_as_0(
    time: str, hour: int, weekday: int, weekend: bool, date: tuple[int, int, int]
) -> None:
    found = row(timestamp=time)
    assert (found["hour_of_day"], found["day_of_week"], found["is_weekend"]) == (hour, weekday, weekend)
    assert (found["year"], found["month"], found["day"]) == date


@pytest.mark.parametrize(
    ("correct", "milliseconds", "quality"),
    [(True, 4_999, 5), (True, 5_000, 4), (True, 15_000, 3), (True, None, 3), (False, 900, 1), (None, 900, None)],
)
def test_a_grade_that_the_message_lacks_follows_from_the_answer_and_its_time(
    correct: bool | None, milliseconds: int | None, quality: int | None
) -> None:
    assert row(correct=correct, time_taken_ms=milliseconds)["quality"] == quality
    assert row(correct=correct, time_taken_ms=milliseconds, quality=2)["quality"] == 2


def test_an_event_that_came_again_is_there_once_as_it_came_first() -> None:
    frame = rows(attempt(0), attempt(1), attempt(0, time_taken_ms=99), attempt(0))
    assert frame["event_id"].to_list() == ["event-0", "event-1"]
    assert frame["time_taken_ms"].to_list() == [8_000, 8_000]


def test_attempts_are_taken_in_order_of_time_not_of_arrival() -> None:
    grades = [attempt(number, quality=grade) for number, grade in enumerate([5, 5, 5, 2, 4])]
    there, back = rows(*grades), rows(*reversed(grades))
    assert_frame_equal(there, back)
    assert there["sm2_interval_after"].to_list() == [1, 6, 17, 1, 1]
    for state in ("sm2_easiness_factor", "sm2_interval", "bkt_prob_knowledge", "irt_ability", "irt_uncertainty"):
        after, before = there[f"{state}_after"].to_list(), there[f"{state}_before"].to_list()
        assert after[:-1] == before[1:]


def test_sm2_is_of_learner_and_question_bkt_and_irt_of_learner_and_topic() -> None:
    frame = rows(attempt(0), attempt(1, item_id="item-2"), attempt(2, user_id="learner-2"))
    assert frame["sm2_repetitions_before"].to_list() == [0, 0, 0]
    assert frame["bkt_prob_knowledge_before"].to_list() == pytest.approx([0.3, 0.692683, 0.3], abs=1e-6)


CARRIED = {
    f"{field}_{when}": value
    for when in ("before", "after")
    for field, value in {
        "sm2_easiness_factor": 2.25,
        "sm2_interval": 12,
        "sm2_repetitions": 5,
        "bkt_prob_knowledge": 0.75,
        "irt_ability": 1.25,
    }.items()
}


def test_states_that_the_platform_sent_stay_as_it_sent_them() -> None:
    found = row(**CARRIED)
    assert {name: found[name] for name in CARRIED} == CARRIED
    assert found["irt_ability_algebra_after"] == 1.25
    assert found["state_source"] == "message"


def test_a_state_says_whether_the_platform_sent_it() -> None:
    assert row()["state_source"] == "computed"
    assert row(irt_ability_before=1.0)["state_source"] == "mixed"


def test_topics_are_written_alike_and_a_missing_one_has_a_name() -> None:
    names = ["Linear  Algebra", "linear-algebra", "linear_algebra", "Σ", None]
    frame = rows(*[attempt(number, topic=name) for number, name in enumerate(names)])
    assert frame["topic"].to_list() == ["linear_algebra"] * 3 + ["unknown"] * 2
    assert irt_topics(frame.columns) == ["linear_algebra", "unknown"]


def test_a_flood_of_topics_does_not_become_a_flood_of_columns() -> None:
    frame = rows(*[attempt(number, topic=f"topic {number}") for number in range(150)])
    assert len(irt_topics(frame.columns)) == 100
    assert frame["irt_ability_after"].null_count() == 0


def test_numbers_too_large_for_their_type_are_held_at_its_bound() -> None:
    found = row(time_taken_ms=10**15, quality=1_000)
    assert (found["time_taken_ms"], found["quality"]) == (2**31 - 1, 127)


def test_what_a_message_lacks_is_null_and_fails_nothing() -> None:
    found = row(item_id=None, session_id=None, correct=None, time_taken_ms=None)
    assert [found[name] for name in ("item_id", "correct", "response_time_category", "sm2_interval_after")] == [
        None
    ] * 4
    assert found["bkt_prob_knowledge_after"] == found["bkt_prob_knowledge_before"]


def test_no_messages_are_no_rows_of_the_same_columns() -> None:
    assert rows().schema == DATASETS["user_attempts"].schema


def many(count: int) -> list[dict[str, Any]]:
    return [
        attempt(
            number,
            user_id=f"learner-{number % 7}",
            item_id=f"item-{number % 11}",
            topic=f"topic_{number % 3}",
            correct=number % 5 != 2,
            time_taken_ms=1_000 + 1_733 * number % 40_000,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("cuts", [[0, 300], [0, 100, 300], [0, 1, 2, 150, 299, 300]])
def test_windows_one_after_another_give_what_one_large_window_gives(cuts: list[int]) -> None:
    messages = many(300)
    whole = rows(*messages).sort("attempted_at")
    states: pl.DataFrame | None = None
    parts = []
    for first, last in pairwise(cuts):
        part = rows(*messages[first:last], states=None if states is None else states.lazy())
        states = learner_states(part.lazy(), None if states is None else states.lazy()).collect()
        parts.append(part)
    assert_frame_equal(pl.concat(parts, how="diagonal").sort("attempted_at"), whole, check_column_order=False)
    assert states is not None
    order = ["user_id", "kind", "key"]
    assert states.schema == STATES
    assert_frame_equal(states.sort(order), learner_states(whole.lazy(), None).collect().sort(order))


def test_learners_who_stay_away_keep_their_states() -> None:
    before = learner_states(rows(attempt(0)).lazy(), None)
    after = learner_states(rows(attempt(1, user_id="learner-2")).lazy(), before).collect()
    assert sorted(after["user_id"].to_list()) == ["learner-1", "learner-1", "learner-2", "learner-2"]


def test_an_attempt_that_comes_after_newer_ones_does_not_move_the_state() -> None:
    before = learner_states(rows(attempt(5)).lazy(), None).collect()
    late = rows(attempt(1, correct=False), states=before.lazy())
    assert_frame_equal(
        learner_states(late.lazy(), before.lazy()).collect().sort("kind"), before.sort("kind"), check_row_order=False
    )


def test_fitted_parameters_take_the_place_of_the_defaults() -> None:
    fitted = Parameters.from_json(
        '{"bkt": [{"topic": "algebra", "prior": 0.5, "learn": 0.0, "guess": 0.1, "slip": 0.1}],'
        ' "irt": [{"item_id": "item-1", "discrimination": 2.0, "difficulty": 0.0}]}'
    )
    frame = rows(attempt(0), attempt(1, topic="geometry", item_id="other"), parameters=fitted)
    assert frame["bkt_prob_knowledge_before"].to_list() == pytest.approx([0.5, 0.3])
    assert frame["bkt_prob_knowledge_after"][0] == pytest.approx(0.9)
    assert frame["irt_ability_after"].to_list() == pytest.approx([0.5, 0.4])  # 1 / (1 + 4/4) * 2 * 0.5


@pytest.mark.parametrize("nonsense", [-1.5, 1e9, 1e300, -1e300])
def test_a_platform_that_sends_nonsense_fails_no_window(nonsense: float) -> None:
    whole = int(max(min(nonsense, 2**31 - 1), -(2**31)))
    sent = {name: whole if "interval" in name or "repetitions" in name else nonsense for name in CARRIED}
    frame = rows(attempt(0, **{name: value for name, value in sent.items() if "before" in name}), attempt(1, **sent))
    bound = max(min(whole, 2**15 - 1), -(2**15))
    assert frame["sm2_repetitions_before"].to_list() == [bound, bound]
    assert frame["bkt_prob_knowledge_before"].is_between(0, 1).sum() == 0
    assert frame["bkt_prob_knowledge_after"].is_not_nan().all()
    assert rows(attempt(2), states=learner_states(frame.lazy(), None)).height == 1


def test_in_parts_the_rows_are_the_same_and_no_learner_is_in_two() -> None:
    sent = [
        attempt(number, user_id=f"learner-{number % 7}", topic=["algebra", "geometry"][number // 40])
        for number in range(80)
    ]
    given = raw("user.attempts", *sent, *sent[:10])
    whole = transform("user_attempts", given).collect()

    parts = [part.collect() for part in attempts_in_parts(given, None, parts=3)]

    assert whole.height == 80
    assert_frame_equal(pl.concat(parts), whole, check_row_order=False)
    learners = [learner for part in parts for learner in part["user_id"].unique()]
    assert len(learners) == len(set(learners)) == 7


def test_of_copies_under_different_learners_the_first_counts_in_parts_too() -> None:
    sent = [attempt(0, user_id=f"learner-{number}") for number in range(7)]
    parts = attempts_in_parts(raw("user.attempts", *sent), None, parts=3)
    assert pl.concat([part.collect() for part in parts])["user_id"].to_list() == ["learner-0"]
