"""Every way of the state machine, legal and illegal."""

from __future__ import annotations

from itertools import product

import pytest

from schoolhouse.backfill.states import FINAL_STATES, TRANSITIONS, Act, Kind, State, may, next_state
from schoolhouse.errors import TransitionRefused

KINDS: tuple[Kind, ...] = ("manual", "inventory", "batch")

# The machine once more, written the other way round: what leaves each state, and to where.
WAYS = {
    "manual": {
        "pending": {"claim": "running", "cancel": "cancelled"},
        "running": {
            "optimize": "optimizing",
            "complete": "completed",
            "fail": "failed",
            "again": "pending",
            "cancel": "cancelled",
        },
        "optimizing": {"complete": "completed", "fail": "failed", "again": "pending", "cancel": "cancelled"},
        "failed": {"retry": "pending"},
    },
    "inventory": {
        "pending": {"claim": "preparing", "pause": "paused", "cancel": "cancelled"},
        "preparing": {
            "planned": "running",
            "complete": "completed",
            "fail": "failed",
            "again": "pending",
            "pause": "paused",
            "cancel": "cancelled",
        },
        "running": {
            "complete": "completed",
            "fail": "failed",
            "pause": "paused",
            "cancel": "cancelled",
            "retry": "running",
        },
        "paused": {"pause": "paused", "resume": "running", "again": "pending", "cancel": "cancelled"},
        "failed": {"retry": "running", "again": "pending"},
    },
    "batch": {
        "pending": {"queue": "queued", "pause": "paused", "cancel": "cancelled"},
        "queued": {"claim": "running", "pause": "paused", "cancel": "cancelled"},
        "running": {
            "complete": "completed",
            "fail": "failed",
            "again": "pending",
            "pause": "paused",
            "cancel": "cancelled",
        },
        "paused": {"resume": "pending", "cancel": "cancelled"},
        "failed": {"retry": "pending"},
    },
}


@pytest.mark.parametrize(("kind", "state", "act"), list(product(KINDS, State, Act)))
def test_each_way_leads_where_it_should_or_is_refused(kind: Kind, state: State, act: Act) -> None:
    expected = WAYS[kind].get(state.value, {}).get(act.value)
    assert may(kind, state, act) == (expected is not None)
    if expected:
        assert next_state(kind, state, act) == expected
    else:
        with pytest.raises(TransitionRefused) as caught:
            next_state(kind, state, act)
        assert state.value in caught.value.message
        assert caught.value.http_status == 409


def test_nothing_leaves_what_is_completed_or_cancelled() -> None:
    assert not [key for key, (states, _) in TRANSITIONS.items() if states & {State.COMPLETED, State.CANCELLED}]
    assert {State.COMPLETED, State.CANCELLED, State.FAILED} == FINAL_STATES


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_of_a_kind_can_be_reached(kind: Kind) -> None:
    reached = {State.PENDING}
    for _ in State:
        reached |= {to for (of, _), (states, to) in TRANSITIONS.items() if of == kind and states & reached}
    named = {State(name) for name in WAYS[kind]} | {State.COMPLETED, State.FAILED, State.CANCELLED}
    assert reached == named
