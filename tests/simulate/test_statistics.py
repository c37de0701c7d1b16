"""The parameters that go in can be got out of the statements again, within stated bounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest

from schoolhouse.simulate import Rates
from schoolhouse.simulate.behaviour import hour_curve
from schoolhouse.simulate.campus import course_of, evenly
from tests.simulate.lines import TORUS, section_of, small_plan, statements_of, text_of, time_of


def first_tries(statements: list[dict[str, Any]]) -> dict[int, list[tuple[str, float]]]:
    """First tries by activity: learner and scaled score."""
    tries = defaultdict(list)
    for one in statements:
        extensions = one["context"]["extensions"]
        kind = one["object"]["definition"].get("type")
        if kind == f"{TORUS}activity_attempt" and extensions[f"{TORUS}activity_attempt_number"] == 1:
            learner = one["actor"]["account"]["name"]
            tries[extensions[f"{TORUS}activity_id"]].append((learner, one["result"]["score"]["scaled"]))
    return tries


def fitted(ability: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Discrimination and difficulty of one question by Newton's method, abilities being known."""
    slope, offset = 1.0, 0.0
    for _ in range(30):
        chance = 1 / (1 + np.exp(-(slope * ability + offset)))
        weight = chance * (1 - chance)
        gradient = np.array([((right - chance) * ability).sum(), (right - chance).sum()]) - [0.05 * (slope - 1), 0.0]
        hessian = np.array(
            [
                [(weight * ability**2).sum() + 0.05, (weight * ability).sum()],
                [(weight * ability).sum(), weight.sum() + 1e-6],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope + step[0], offset + step[1]
    return float(slope), float(-offset / slope)


@pytest.mark.slow
def test_difficulty_and_discrimination_are_recovered_to_a_quarter_of_a_logit() -> None:
    # Without learning, ability alone decides, and the two-parameter model can be fitted as it stands.
    plan = small_plan(
        "torus",
        sections=1,
        learners=1_500,
        days=14,
        statements=120_000,
        rates=Rates(learning_gain=0.0, items_per_page=2),
    )
    text, truth = text_of(plan)
    ability = dict(
        zip(map(str, truth["learner_parameters"]["learner"]), truth["learner_parameters"]["ability"], strict=True)
    )
    known = {row["activity"]: row for row in truth["activities"]}
    errors, slopes = [], []
    for activity, tries in first_tries(list(map(msgspec.json.decode, text.splitlines()))).items():
        if len(tries) < 400 or abs(known[activity]["difficulty"]) > 2:
            continue
        abilities = np.array([ability[learner] for learner, _ in tries])
        slope, difficulty = fitted(abilities, np.array([score for _, score in tries]))
        errors.append(difficulty - known[activity]["difficulty"])
        slopes.append(slope - known[activity]["discrimination"])
    assert len(errors) >= 10
    assert np.sqrt(np.mean(np.square(errors))) < 0.25
    assert abs(np.mean(errors)) < 0.1
    assert np.sqrt(np.mean(np.square(slopes))) < 0.25


def test_learners_get_better_with_practice_at_the_default_rates() -> None:
    tries: dict[bool, list[float]] = {True: [], False: []}
    for gain in (True, False):
        rates = Rates() if gain else Rates(learning_gain=0.0)
        plan = small_plan("torus", sections=1, learners=200, statements=30_000, rates=rates)
        for scores in first_tries(statements_of(plan)).values():
            tries[gain] += [score for _, score in scores]
    assert np.mean(tries[True]) > np.mean(tries[False]) + 0.03


def test_sittings_follow_the_hour_curve() -> None:
    plan = small_plan("torus", sections=1, learners=600, statements=60_000)
    starts: dict[str, Any] = {}
    for one in statements_of(plan):
        session = one["context"]["extensions"].get(f"{TORUS}session_id")
        if session:
            starts.setdefault(session, time_of(one))
    hours = Counter(time.hour for time in starts.values())
    seen = np.array([hours[hour] for hour in range(24)]) / len(starts)
    # Learners shift the curve by an hour either way, and a try comes some minutes after its sitting began.
    shifts = np.exp(-0.5 * np.arange(-3, 4) ** 2)
    expected = sum(
        weight * np.roll(hour_curve(plan), by) for weight, by in zip(shifts / shifts.sum(), range(-3, 4), strict=True)
    )
    assert len(starts) > 2_000
    assert np.abs(seen - expected).sum() / 2 < 0.08  # total variation
    assert 18 <= int(seen.argmax()) <= 22


def test_weekends_are_quieter_and_deadlines_busier() -> None:
    # The week of term starts on a Wednesday here, so that deadlines fall on Monday and Tuesday, not on the weekend.
    # Everyone is there from the first day to the last, so that each week weighs the same.
    rates = Rates(enrollment_days=0.0, drop_out=0.0)
    plan = small_plan("torus", sections=1, learners=600, statements=60_000, start=date(2025, 9, 3), rates=rates)
    days = Counter(time_of(one).weekday() for one in statements_of(plan))
    weekend, plain, deadline = days[5] + days[6], days[2] + days[3], days[0] + days[1]
    assert weekend / plain == pytest.approx(plan.rates.weekend_weight, abs=0.12)
    assert deadline / plain == pytest.approx(1 + plan.rates.deadline_pull, abs=0.3)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_asked_share_of_enrolments_drops_out(share: float) -> None:
    plan = small_plan("openedx", sections=4, learners=2_000, statements=6_000, rates=Rates(drop_out=share))
    _, truth = text_of(plan)
    enrolled = sum(row["enrolled"] for row in truth["learners"])
    dropped = sum(row["dropped_out"] for row in truth["learners"])
    assert dropped / enrolled == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_lines_show_who_dropped_out(share: float) -> None:
    plan = small_plan("openedx", sections=4, learners=150, days=28, statements=120_000, rates=Rates(drop_out=share))
    text, _ = text_of(plan)
    # Leaving falls at start + span * u ** 1.5, so 0.75 of those who leave do so ten days before
    # the end or earlier, and are not seen after.
    last: dict[tuple[str | int, str], Any] = {}
    for one in map(msgspec.json.decode, text.splitlines()):
        key = section_of(one), one["actor"]["account"]["name"]
        last[key] = max(last.get(key, time_of(one)), time_of(one))
    end = max(last.values())
    silent = np.mean([(end - time).days >= 10 for time in last.values()])
    assert silent == pytest.approx(0.75 * share, abs=0.1)


def test_unregistering_is_what_the_asked_share_of_drop_outs_does() -> None:
    plan = small_plan("openedx", sections=4, learners=1_000, statements=60_000)
    text, truth = text_of(plan)
    left = text.count(b'"display":{"en":"unregistered"}')
    dropped = sum(row["dropped_out"] for row in truth["learners"])
    assert left / dropped == pytest.approx(plan.rates.unregister_share, abs=0.06)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0])
def test_the_asked_share_of_pages_is_graded_and_in_the_intervention(share: float) -> None:
    course = course_of(small_plan("torus", days=700, rates=Rates(graded_share=share)), 0)
    assert course.page_is_graded.sum() == pytest.approx(share * course.pages, abs=1)
    assert evenly(share, np.arange(500)).sum() == pytest.approx(share * 500, abs=1)


@pytest.mark.parametrize("items", [1, 3, 10])
def test_a_page_has_as_many_questions_as_are_asked_for_on_average(items: int) -> None:
    course = course_of(small_plan("torus", days=7_000, rates=Rates(items_per_page=items)), 0)
    assert course.items / course.pages == pytest.approx(items, rel=0.03)


def test_the_same_course_in_two_terms_has_the_same_difficulties() -> None:
    plan = small_plan("torus")
    assert (
        course_of(plan, 0).item_difficulty.tolist()
        == course_of(small_plan("torus", learners=99), 0).item_difficulty.tolist()
    )
