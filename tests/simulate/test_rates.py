"""Every rate is documented, and stays within its bounds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from schoolhouse.errors import UsageError
from schoolhouse.simulate import Imperfections, Rates, campus_plan
from schoolhouse.simulate.rates import as_markdown, describe
from tests.conftest import ROOT
from tests.simulate.lines import small_plan, text_of

DOCUMENT = Path(ROOT, "docs", "simulate.md").read_text()


@pytest.mark.parametrize("kind", [Rates, Imperfections])
def test_the_document_shows_every_rate_with_its_default_and_source(kind: type[Rates] | type[Imperfections]) -> None:
    assert as_markdown(kind) in DOCUMENT
    assert all(meaning and source for _, _, meaning, source in describe(kind))


def test_the_document_names_every_key_of_the_truth() -> None:
    _, truth = text_of(small_plan("torus", statements=500))
    keys = {*truth, *truth["learner_parameters"]}
    for part in ("counts", "scores", "learners", "activities", "videos"):
        keys |= set(truth[part][0])
    assert {key for key in keys if f"`{key}`" not in DOCUMENT} == set()


def test_a_rate_outside_its_bounds_is_an_error_that_says_what_it_means() -> None:
    with pytest.raises(UsageError, match=r"drop_out is 1.5, outside 0.0 to 0.99") as caught:
        Rates(drop_out=1.5)
    assert "enrolments that end before the term does" in caught.value.hint


def test_what_is_not_given_fits_what_is() -> None:
    plan = campus_plan(statements=1_000_000)
    assert (plan.learners, plan.sections) == (2_000, 40)
    assert (campus_plan().learners, campus_plan().sections) == (200, 4)
    assert campus_plan(learners=10, statements=50).sections == 1


@pytest.mark.parametrize(
    "wrong",
    [{"dialect": "latin"}, {"sections": -1}, {"days": 0}, {"statements": -1}, {"term_days": 100}, {"learners": 10**9}],
)
def test_a_plan_that_cannot_be_is_an_error(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        small_plan(**({"dialect": "torus"} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("start", [date.min, date(1989, 12, 31), date(2298, 12, 31), date.max])
def test_a_campus_lies_in_years_that_the_warehouse_takes(start: date) -> None:
    with pytest.raises(UsageError, match="are not wholly between 1990-01-01 and 2298-12-31"):
        campus_plan(start=start, statements=100)
