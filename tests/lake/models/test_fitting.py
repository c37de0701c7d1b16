"""Fitted parameters are those of the simulation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from schoolhouse.errors import InputError
from schoolhouse.lake.models import fit_bkt as knowledge_tracing
from schoolhouse.lake.models.fit_bkt import fit_bkt, fit_sequences
from schoolhouse.lake.models.fit_irt import fit_irt, fit_responses
from schoolhouse.lake.models.fitting import fit
from schoolhouse.lake.models.parameters import Parameters
from schoolhouse.simulate.practising import Practised, TopicPlan, practised
from schoolhouse.simulate.rates import Rates


def attempts(done: Practised) -> pl.LazyFrame:
    """What was practised, with the columns of `user_attempts` that fitting reads; rows in no order."""
    frame = pl.DataFrame(
        {
            "user_id": done.learner.astype(str),
            "topic": done.topic.astype(str),
            "item_id": done.item.astype(str),
            "attempted_at": pl.Series(done.at_ms).cast(pl.Datetime("ms", "UTC")),
            "event_id": np.arange(len(done.at_ms)),
            "correct": done.correct,
        }
    )
    return frame.sample(fraction=1, shuffle=True, seed=1).lazy()


def responses(learners: int, items: int, seed: int) -> tuple[Any, ...]:
    """Everybody answers every question once, by the model itself."""
    random = np.random.default_rng(seed)
    a, b = random.lognormal(0, 0.3, items), random.normal(0, 1, items)
    ability = random.normal(0, 1, learners)
    person, item = np.repeat(np.arange(learners), items), np.tile(np.arange(items), learners)
    chance = 1 / (1 + np.exp(-a[item] * (ability[person] - b[item])))
    return a, b, person, item, (random.random(len(item)) < chance).astype(np.int8)


def test_irt_finds_the_questions_parameters_without_bias() -> None:
    a, b, person, item, right = responses(2_000, 40, seed=1)
    found = fit_responses(person, item, right)
    assert np.sqrt(np.mean((found[:, 1] - b) ** 2)) < 0.12
    assert abs(np.mean(found[:, 1] - b)) < 0.05
    assert np.sqrt(np.mean((found[:, 0] - a) ** 2)) < 0.12
    assert np.corrcoef(found[:, 1], b)[0, 1] > 0.99


def test_irt_comes_closer_the_more_learners_answer() -> None:
    def miss(learners: int) -> float:
        _, b, person, item, right = responses(learners, 30, seed=2)
        return float(np.sqrt(np.mean((fit_responses(person, item, right)[:, 1] - b) ** 2)))

    assert miss(3_000) < miss(300) / 2


def test_irt_finds_the_order_of_questions_from_what_learners_practise() -> None:
    done = practised(TopicPlan(attempts=60_000, learners=800, topics=2, items=60, seed=2, rates=Rates(learning_gain=0)))
    found = fit_irt(attempts(done))
    item = found["item_id"].cast(pl.Int64).to_numpy()
    assert found.height == 60
    assert np.corrcoef(found["difficulty"], done.content.difficulty[item])[0, 1] > 0.97
    assert np.corrcoef(found["discrimination"], done.content.discrimination[item])[0, 1] > 0.8


def test_irt_keeps_questions_that_everybody_or_nobody_solves_at_finite_places() -> None:
    _, _, person, item, right = responses(300, 10, seed=3)
    right[item == 0], right[item == 1] = 1, 0
    found = fit_responses(person, item, right)
    assert np.isfinite(found).all()
    assert found[0, 1] < -2 < 2 < found[1, 1]


@pytest.fixture(scope="module")
def traced() -> Practised:
    return practised(TopicPlan(attempts=120_000, learners=3_000, topics=3, items=60, model="bkt", seed=2))


def test_bkt_finds_prior_learn_guess_and_slip(traced: Practised) -> None:
    found = fit_bkt(attempts(traced)).sort("topic")
    assert found["topic"].to_list() == ["0", "1", "2"]
    assert found["answers"].sum() == 120_000
    for name, tolerance in (("prior", 0.05), ("learn", 0.025), ("guess", 0.03), ("slip", 0.015)):
        assert found[name].to_numpy() == pytest.approx(getattr(traced.content, name), abs=tolerance)


def test_each_round_of_bkt_makes_the_answers_likelier(traced: Practised) -> None:
    order = np.lexsort((traced.at_ms, traced.learner))
    there = order[traced.topic[order] == 0]
    right = traced.correct[there].astype(np.int8)
    edges = np.append(np.flatnonzero(np.diff(traced.learner[there], prepend=-1)), len(there))
    values, likelihoods = np.array([0.3, 0.1, 0.2, 0.1]), []
    for _ in range(8):
        counts, likelihood = knowledge_tracing._expected(right, edges, values)
        likelihoods.append(likelihood)
        values = counts[:, 0] / counts[:, 1]
    assert (np.diff(likelihoods) > 0).all()
    assert fit_sequences(right, edges)[1] >= likelihoods[-1] - 1


def test_bkt_is_as_likely_as_the_sum_over_all_hidden_paths() -> None:
    right, (prior, learn, guess, slip) = np.array([1, 0, 1, 1], dtype=np.int8), (0.3, 0.2, 0.25, 0.1)
    total = 0.0
    for learned_before in range(5):  # the answer before which the learner came to know; 4: never
        path = [at >= learned_before for at in range(4)]
        chance = prior if path[0] else (1 - prior) * (1 - learn) ** (min(learned_before, 4) - 1)
        chance *= learn if 0 < learned_before < 4 else 1
        for knows, answer in zip(path, right, strict=True):
            yes = 1 - slip if knows else guess
            chance *= yes if answer else 1 - yes
        total += chance
    _, likelihood = knowledge_tracing._expected(right, np.array([0, 4]), np.array([prior, learn, guess, slip]))
    assert likelihood == pytest.approx(np.log(total))


def test_topics_and_questions_with_few_answers_keep_the_defaults() -> None:
    few = practised(TopicPlan(attempts=150, learners=10, topics=2, items=20))
    found = fit(attempts(few))
    assert found.bkt.height == found.irt.height == 0
    assert found.of_topics(pl.Series(["0"])).row(0) == (0.3, 0.1, 0.2, 0.1)
    assert found.of_items(pl.Series(["0"])).row(0) == (1.0, 0.0)


def test_parameters_are_written_and_read_again(traced: Practised) -> None:

    found = fit(attempts(traced))
    again = Parameters.from_json(json.dumps(found.as_json()))
    assert again.bkt.equals(found.bkt)
    assert again.irt.equals(found.irt)
    for broken in ("", "[]", '{"bkt": 1, "irt": []}', '{"bkt": [{"topic": 5}], "irt": [], "more": 1}'):
        with pytest.raises(InputError, match="model parameters"):
            Parameters.from_json(broken)
