"""One update of each model, against the numbers that its published formula gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schoolhouse.lake.models import bkt, irt, sm2


def after(*grades: int) -> list[tuple[float, int, int]]:
    """Easiness, interval and repetitions after each of these grades."""
    state: tuple[float, int, int] = (sm2.FIRST_EASINESS, 0, 0)
    states = []
    for grade in grades:
        state = sm2.step(*state, grade)
        states.append(state)
    return states


def test_sm2_repeats_after_1_day_6_days_and_then_by_the_easiness_rounded_up() -> None:
    assert [interval for _, interval, _ in after(4, 4, 4, 4, 4)] == [1, 6, 15, 38, 95]
    assert [repetitions for _, _, repetitions in after(4, 4, 4)] == [1, 2, 3]


@pytest.mark.parametrize(("grade", "change"), [(5, 0.1), (4, 0.0), (3, -0.14)])
def test_sm2_changes_the_easiness_by_the_grade(grade: int, change: float) -> None:
    ((easiness, _, _),) = after(grade)
    assert easiness == pytest.approx(2.5 + change)


def test_sm2_takes_the_new_easiness_for_the_next_interval() -> None:
    assert after(5, 5, 5)[-1] == (pytest.approx(2.8), 17, 3)  # 6 * 2.8 = 16.8


def test_sm2_never_lets_the_easiness_fall_below_its_floor() -> None:
    assert after(*[3] * 20)[-1][0] == sm2.LEAST_EASINESS


@pytest.mark.parametrize("grade", [0, 1, 2])
def test_sm2_starts_again_after_a_bad_answer_and_keeps_the_easiness(grade: int) -> None:
    assert after(5, 5, 5, grade)[-1] == (pytest.approx(2.8), 1, 0)
    assert after(5, 5, 5, grade, 4, 4)[-1] == (pytest.approx(2.8), 6, 2)


def test_sm2_plans_no_further_than_a_hundred_years() -> None:
    assert after(*[5] * 30)[-1][1] == sm2.MOST_DAYS


def test_bkt_follows_bayes_rule_and_then_learning() -> None:
    # 0.3 * 0.9 / (0.3 * 0.9 + 0.7 * 0.2) = 0.27 / 0.41
    right = 0.27 / 0.41
    assert bkt.step(0.3, True, 0.1, 0.2, 0.1) == pytest.approx(right + (1 - right) * 0.1)
    # 0.3 * 0.1 / (0.3 * 0.1 + 0.7 * 0.8) = 0.03 / 0.59
    wrong = 0.03 / 0.59
    assert bkt.step(0.3, False, 0.1, 0.2, 0.1) == pytest.approx(wrong + (1 - wrong) * 0.1)


@pytest.mark.parametrize("known", [0.0, 1.0])
@pytest.mark.parametrize("correct", [True, False])
def test_bkt_stays_a_chance_even_where_the_answer_is_impossible(known: float, correct: bool) -> None:
    assert 0 <= bkt.step(known, correct, 0.0, 0.0, 0.0) <= 1


def test_irt_gives_the_two_parameter_chance() -> None:
    assert irt.chance(1.0, 2.0, 0.5) == pytest.approx(1 / (1 + math.exp(-1)))
    assert irt.chance(0.5, 2.0, 0.5) == 0.5


def test_irt_moves_the_ability_by_one_newton_step() -> None:
    # At ability 0 with a = 1, b = 0: information 1/4, so the variance is 1 / (1 + 1/4) and the step 0.8 * 0.5.
    ability, deviation = irt.step(0.0, 1.0, True, 1.0, 0.0)
    assert (ability, deviation) == (pytest.approx(0.4), pytest.approx(math.sqrt(0.8)))
    assert irt.step(0.0, 1.0, False, 1.0, 0.0)[0] == pytest.approx(-0.4)


def test_irt_stays_close_to_the_exact_posterior_of_an_unchanging_learner() -> None:
    random = np.random.default_rng(3)
    grid = np.linspace(-5, 5, 2001)
    errors = []
    for truth in np.linspace(-2, 2, 21):
        a, b = random.lognormal(0, 0.3, 60), random.normal(0, 1, 60)
        right = random.random(60) < 1 / (1 + np.exp(-a * (truth - b)))
        ability, deviation = irt.FIRST_ABILITY, irt.FIRST_DEVIATION
        belief = -(grid**2) / 2
        for number in range(60):
            ability, deviation = irt.step(ability, deviation, bool(right[number]), a[number], b[number])
            chance = 1 / (1 + np.exp(-a[number] * (grid - b[number])))
            belief += np.log(np.where(right[number], chance, 1 - chance))
        weight = np.exp(belief - belief.max())
        errors.append(ability - (grid * weight).sum() / weight.sum())
    assert np.abs(errors).mean() < 0.12
    assert abs(np.mean(errors)) < 0.05
