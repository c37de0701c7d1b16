"""Many attempts at once give what one update after another gives."""

from __future__ import annotations

import numpy as np
import pytest

from schoolhouse.lake.models import bkt, irt, replay, sm2
from schoolhouse.lake.models.replay import Attempts, Tables

TOPICS = np.array([[0.3, 0.1, 0.2, 0.1], [0.6, 0.05, 0.25, 0.05]])
ITEMS = np.array([[1.0, 0.0], [1.5, -0.5], [0.7, 1.0]])


def attempts(count: int, learners: int = 5) -> Attempts:
    random = np.random.default_rng(1)
    learner, item, topic = (
        random.integers(0, learners, count),
        random.integers(0, 3, count),
        random.integers(0, 2, count),
    )
    nothing = np.full((count, replay.STATES), np.nan, dtype=np.float32)
    return Attempts(
        item_pair=learner * 3 + item,
        topic_pair=learner * 2 + topic,
        answer=random.integers(0, 2, count).astype(np.int8),
        quality=random.integers(0, 6, count).astype(np.int8),
        topic=topic,
        item=item,
        carried_before=nothing,
        carried_after=nothing.copy(),
    )


def tables(learners: int = 5) -> Tables:
    return Tables(replay.first_item_states(learners * 3), replay.first_topic_states(learners * 2), TOPICS, ITEMS)


def test_each_pair_goes_its_own_way_through_the_published_updates() -> None:
    done = attempts(400)
    before, after = replay.replay(done, tables())
    cards: dict[int, tuple[float, int, int]] = {}
    beliefs: dict[int, tuple[float, float, float]] = {}
    for row in range(400):
        card = cards.get(done.item_pair[row], (2.5, 0, 0))
        assert before[row, :3] == pytest.approx(card, rel=1e-5)
        cards[done.item_pair[row]] = sm2.step(*card, int(done.quality[row]))
        assert after[row, :3] == pytest.approx(cards[done.item_pair[row]], rel=1e-5)
        prior, learn, guess, slip = TOPICS[done.topic[row]]
        known, ability, deviation = beliefs.get(done.topic_pair[row], (prior, 0.0, 1.0))
        assert before[row, 3:] == pytest.approx((known, ability, deviation), abs=1e-5)
        right = bool(done.answer[row])
        known = np.clip(bkt.step(known, right, learn, guess, slip), replay.UNSURE, 1 - replay.UNSURE)
        moved = known, *irt.step(ability, deviation, right, *ITEMS[done.item[row]])
        beliefs[done.topic_pair[row]] = tuple(np.array(moved, dtype=np.float32).tolist())  # as it is kept
        assert after[row, 3:] == pytest.approx(beliefs[done.topic_pair[row]], abs=1e-5)


def test_a_carried_state_is_believed_and_the_chain_goes_on_from_it() -> None:
    done = attempts(3, learners=1)
    done.item_pair[:], done.topic_pair[:], done.quality[:], done.answer[:] = 0, 0, 4, 1
    done.carried_before[1] = (2.0, 10, 4, 0.5, 1.5, np.nan)
    done.carried_after[2] = (1.7, 3, 1, 0.9, -1.0, np.nan)
    before, after = replay.replay(done, tables(1))
    assert before[1, :5].tolist() == [2.0, 10, 4, 0.5, 1.5]
    assert after[1, 1:3].tolist() == [20, 5]
    assert before[2].tolist() == after[1].tolist()
    assert after[2, :5] == pytest.approx([1.7, 3, 1, 0.9, -1.0])


def test_an_attempt_without_a_question_or_an_answer_moves_nothing() -> None:
    done = attempts(2, learners=1)
    done.item_pair[0] = -1
    done.answer[:], done.quality[:] = -1, -1
    before, after = replay.replay(done, tables(1))
    assert np.isnan(after[0, :3]).all()
    assert (before[:, 3:] == after[:, 3:]).all()
    assert (before[1] == after[1]).all()
    assert after[0, 4:].tolist() == [irt.FIRST_ABILITY, irt.FIRST_DEVIATION]


def test_however_much_a_learner_knows_wrong_answers_still_count() -> None:
    done = attempts(500, learners=1)
    done.topic_pair[:], done.topic[:], done.answer[:] = 0, 0, 1
    done.answer[-10:] = 0
    _, after = replay.replay(done, tables(1))
    assert after[489, 3] == pytest.approx(1 - replay.UNSURE)
    assert after[-1, 3] < 0.2
