"""What learners do makes sense: first enrolled, one thing at a time, tries in sequence, videos paired."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from schoolhouse.simulate import Rates, torus
from schoolhouse.simulate.behaviour import Story, hour_curve, story_of
from schoolhouse.simulate.campus import CourseSize, Plan, chunks_of, course_of, learners_of, sections_of, stream
from schoolhouse.simulate.series import faded_count, occurrence
from schoolhouse.simulate.watching import Act
from tests.simulate.lines import TORUS, small_plan, statements_of, time_of


def story(visits: int = 4_000, **more: Any) -> tuple[Plan, Story]:
    plan = small_plan("torus", sections=1, **more)
    return plan, story_of(plan, chunks_of(plan)[0], visits, stream(plan, "test"))


@pytest.mark.parametrize("days", [2, 56])
def test_nobody_is_active_before_enrolling_or_after_leaving(days: int) -> None:
    rates = Rates(drop_out=0.9, unregister_share=1.0)
    statements = statements_of(small_plan("openedx", days=days, rates=rates))
    joined: dict[tuple[str, str], Any] = {}
    left: dict[tuple[str, str], Any] = {}
    for one in statements:
        verb = one["verb"]["display"]["en"]
        parents = one["context"].get("contextActivities", {}).get("parent", [one["object"]])
        key = one["actor"]["account"]["name"], parents[0]["id"]
        if verb == "registered":
            assert key not in joined
            joined[key] = time_of(one)
        elif verb == "unregistered":
            left[key] = time_of(one)
        else:
            assert joined[key] < time_of(one)
            assert key not in left
    assert len(joined) > 60
    assert all(joined[key] < time for key, time in left.items())


def test_a_learner_does_one_thing_at_a_time() -> None:
    _, told = story()
    visits = told.visits
    same = visits.enrolment[1:] == visits.enrolment[:-1]
    assert (visits.start_ms[1:] >= visits.end_ms[:-1])[same].all()
    inside = told.practice.offset_ms < (visits.end_ms - visits.start_ms)[told.practice.visit]
    assert inside.all()


def test_attempts_are_numbered_in_sequence() -> None:
    seen: dict[tuple[str, int, int], int] = defaultdict(int)
    for one in statements_of(small_plan("torus")):
        extensions = one["context"]["extensions"]
        if one["object"]["definition"].get("type") == f"{TORUS}activity_attempt":
            key = one["actor"]["account"]["name"], extensions[f"{TORUS}section_id"], extensions[f"{TORUS}activity_id"]
            seen[key] += 1
            assert extensions[f"{TORUS}activity_attempt_number"] == seen[key]
    assert max(seen.values()) > 2


@pytest.mark.parametrize("dialect", ["torus", "openedx"])
def test_success_follows_the_score(dialect: str) -> None:
    results = [one["result"] for one in statements_of(small_plan(dialect)) if "score" in one.get("result", {})]
    judged = [result for result in results if "success" in result]
    assert {result["success"] for result in judged} == {True, False}
    assert all(result["success"] == (result["score"]["scaled"] == 1) for result in judged)


def test_with_quirks_success_is_constant_and_ids_end_in_a_brace_as_torus_has_it() -> None:
    statements = statements_of(small_plan("torus", quirks=True))
    attempts = [one for one in statements if one["object"]["id"].startswith("https://campus.example/activity_attempt/")]
    assert attempts
    assert all(one["result"]["success"] is True and one["object"]["id"].endswith("}") for one in attempts)
    assert all(isinstance(one["actor"]["account"]["name"], int) for one in statements)
    assert {one["object"].get("objectType") for one in statements} == {None, "Page", "Tutor"}


def test_every_play_is_followed_by_a_pause_or_an_end() -> None:
    _, told = story()
    watching = told.watching
    shown = np.isin(watching.act, [Act.PLAYED, Act.PAUSED, Act.COMPLETED])
    visit, act, at, before = (column[shown] for column in (watching.visit, watching.act, watching.at, watching.before))
    assert (act[0::2] == Act.PLAYED).all()
    assert (act[1::2] != Act.PLAYED).all()
    assert (visit[0::2] == visit[1::2]).all()
    assert (at[0::2] == before[1::2]).all()  # a stretch begins where the play did
    assert (at[1::2] >= at[0::2]).all()
    length = told.course.page_video_seconds[told.visits.page[visit]] * 10
    assert (at <= length).all()
    assert (at[act == Act.COMPLETED] == length[act == Act.COMPLETED]).all()


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_replies_go_to_threads_that_were_posted_before(seed: int) -> None:
    rates = Rates(drop_out=0.9, post_share=0.1, reply_share=0.3)
    posted, replies = {}, 0
    for one in sorted(statements_of(small_plan("openedx", seed=seed, rates=rates)), key=time_of):
        if one["verb"]["id"].endswith("/posted"):
            if grouping := one["context"]["contextActivities"].get("grouping"):
                assert posted[grouping[0]["id"]] < time_of(one)
                replies += 1
            else:
                posted[one["object"]["id"]] = time_of(one)
    assert replies > 100


def test_pages_come_in_the_order_of_the_course_but_for_visits_back() -> None:
    _, told = story(rates=Rates(revisit_share=0.0))
    visits = told.visits
    same = visits.enrolment[1:] == visits.enrolment[:-1]
    assert (visits.page[1:] >= visits.page[:-1])[same].all()


def test_a_graded_page_is_handed_in_once_and_its_questions_are_tried_once() -> None:
    _, told = story()
    graded = told.course.page_is_graded[told.course.item_page[told.practice.item]]
    assert graded.any()
    assert (told.practice.number[graded] == 1).all()
    done = told.practice.finish_visit
    handed = told.visits.enrolment[done] * told.course.pages + told.visits.page[done]
    assert len(np.unique(handed)) == len(handed)


def test_hints_are_asked_by_those_who_struggle() -> None:
    plan, told = story(visits=20_000, learners=400)
    ability = learners_of(plan).ability[told.enrolments.learner[told.visits.enrolment[told.practice.visit]]]
    failed = told.practice.right < told.practice.parts
    asks = told.practice.asks_hint
    weak, strong = failed & (ability < -0.5), failed & (ability > 0.5)
    assert asks[weak].mean() > 1.3 * asks[strong].mean()


def test_every_learner_has_a_place_and_no_section_has_one_twice() -> None:
    from schoolhouse.simulate.campus import enrolled

    plan = small_plan("torus", sections=7, learners=200)
    rolls = [enrolled(plan, section) for section in sections_of(plan)]
    assert [len(np.unique(roll)) for roll in rolls] == [section.learners for section in sections_of(plan)]
    assert set(np.concatenate(rolls).tolist()) == set(range(200))


def test_a_course_is_the_same_for_whoever_asks() -> None:
    plan = small_plan("torus")
    first = course_of(plan, 0)
    course_of.cache_clear()
    for one in dataclasses.fields(first):
        assert np.array_equal(getattr(first, one.name), getattr(course_of(plan, 0), one.name))


def test_no_two_courses_share_a_page_an_activity_or_a_skill() -> None:
    plan = small_plan("torus", sections=4, days=3_000, rates=Rates(pages_per_week=30), statements=100)
    first, second = (course_of(plan, number) for number in range(2))
    assert first.pages > 10_000
    for number_of, many in ((torus.page_id, first.pages), (torus.activity_id, min(first.items, second.items))):
        numbers = [number_of(course, thing) for course in range(2) for thing in range(many)]
        assert len(set(numbers)) == 2 * many


def test_a_sequence_of_many_thousand_units_counts_them_all() -> None:
    size = CourseSize(learners=3, pages=12_000, items=10, videos=0, chapters=1, sequences=1, posts=0)
    plan = small_plan("openedx", sections=1, learners=3, statements=400, sizes=(size,))
    told = [one["object"]["definition"].get("extensions", {}) for one in statements_of(plan)]
    items = "https://w3id.org/xapi/acrossx/extensions/total-items"
    assert {extensions[items] for extensions in told if items in extensions} == {12_000}


def test_meetings_fade_with_time() -> None:
    group, day = np.array([1, 2, 1, 1]), np.array([0.0, 0.0, 10.0, 30.0])
    second, third = np.exp(-1.0), (np.exp(-1.0) + 1) * np.exp(-2.0)
    assert faded_count(group, day, 10.0) == pytest.approx([0, 0, second, third])


def test_occurrences_are_counted_within_a_key() -> None:
    assert occurrence(np.array([5, 3, 5, 5, 3])).tolist() == [1, 1, 2, 3, 2]


def test_the_hour_curve_is_a_distribution_with_its_peak_in_the_evening() -> None:
    curve = hour_curve(small_plan("torus"))
    assert curve.sum() == pytest.approx(1)
    assert 19 <= int(curve.argmax()) <= 22
