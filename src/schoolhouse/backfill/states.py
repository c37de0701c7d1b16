"""The states of runs and batches, and every way from one to another.

Three kinds of work share one enum: a manual run (a pattern of objects), an inventory run (a manifest of S3 Inventory)
and a batch (one data file of a manifest). `TRANSITIONS` is the whole machine; every write of a state goes through
`next_state`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from schoolhouse.errors import TransitionRefused

Kind = Literal["manual", "inventory", "batch"]


class State(StrEnum):
    """Where a run or batch stands."""

    PENDING = "pending"
    PREPARING = "preparing"
    QUEUED = "queued"
    RUNNING = "running"
    OPTIMIZING = "optimizing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Act(StrEnum):
    """What may happen to it."""

    CLAIM = "claim"  # a worker takes it
    PLANNED = "planned"  # the manifest is read, the batches stand
    QUEUE = "queue"  # a batch gets one of the run's places
    OPTIMIZE = "optimize"  # all is loaded, partitions are merged
    COMPLETE = "complete"
    FAIL = "fail"
    AGAIN = "again"  # back into the queue: another attempt, or the worker was told to stop
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"  # an operator's: go on behind the last completed chunk


_S = State
FINAL_STATES: Final = frozenset({_S.COMPLETED, _S.FAILED, _S.CANCELLED})

# kind and act: from which states, to which.
TRANSITIONS: Final[dict[tuple[Kind, Act], tuple[frozenset[State], State]]] = {
    ("manual", Act.CLAIM): (frozenset({_S.PENDING}), _S.RUNNING),
    ("manual", Act.OPTIMIZE): (frozenset({_S.RUNNING}), _S.OPTIMIZING),
    ("manual", Act.COMPLETE): (frozenset({_S.RUNNING, _S.OPTIMIZING}), _S.COMPLETED),
    ("manual", Act.FAIL): (frozenset({_S.RUNNING, _S.OPTIMIZING}), _S.FAILED),
    ("manual", Act.AGAIN): (frozenset({_S.RUNNING, _S.OPTIMIZING}), _S.PENDING),
    ("manual", Act.CANCEL): (frozenset({_S.PENDING, _S.RUNNING, _S.OPTIMIZING}), _S.CANCELLED),
    ("manual", Act.RETRY): (frozenset({_S.FAILED}), _S.PENDING),
    ("inventory", Act.CLAIM): (frozenset({_S.PENDING}), _S.PREPARING),
    ("inventory", Act.PLANNED): (frozenset({_S.PREPARING}), _S.RUNNING),
    ("inventory", Act.COMPLETE): (frozenset({_S.PREPARING, _S.RUNNING}), _S.COMPLETED),
    ("inventory", Act.FAIL): (frozenset({_S.PREPARING, _S.RUNNING}), _S.FAILED),
    # planned anew: after a failure of planning, or where a pause came before its end
    ("inventory", Act.AGAIN): (frozenset({_S.PREPARING, _S.PAUSED, _S.FAILED}), _S.PENDING),
    ("inventory", Act.PAUSE): (frozenset({_S.PENDING, _S.PREPARING, _S.RUNNING, _S.PAUSED}), _S.PAUSED),
    ("inventory", Act.RESUME): (frozenset({_S.PAUSED}), _S.RUNNING),
    ("inventory", Act.CANCEL): (frozenset({_S.PENDING, _S.PREPARING, _S.RUNNING, _S.PAUSED}), _S.CANCELLED),
    ("inventory", Act.RETRY): (frozenset({_S.FAILED, _S.RUNNING}), _S.RUNNING),
    ("batch", Act.QUEUE): (frozenset({_S.PENDING}), _S.QUEUED),
    ("batch", Act.CLAIM): (frozenset({_S.QUEUED}), _S.RUNNING),
    ("batch", Act.COMPLETE): (frozenset({_S.RUNNING}), _S.COMPLETED),
    ("batch", Act.FAIL): (frozenset({_S.RUNNING}), _S.FAILED),
    ("batch", Act.AGAIN): (frozenset({_S.RUNNING}), _S.PENDING),
    ("batch", Act.PAUSE): (frozenset({_S.PENDING, _S.QUEUED, _S.RUNNING}), _S.PAUSED),
    ("batch", Act.RESUME): (frozenset({_S.PAUSED}), _S.PENDING),
    ("batch", Act.RETRY): (frozenset({_S.FAILED}), _S.PENDING),
    ("batch", Act.CANCEL): (frozenset({_S.PENDING, _S.QUEUED, _S.RUNNING, _S.PAUSED}), _S.CANCELLED),
}

# States in which a worker holds the work, and the state that it takes it from.
WORKING: Final[dict[Kind, tuple[State, ...]]] = {
    "manual": (_S.RUNNING, _S.OPTIMIZING),
    "inventory": (_S.PREPARING,),
    "batch": (_S.RUNNING,),
}
READY: Final[dict[Kind, State]] = {"manual": _S.PENDING, "inventory": _S.PENDING, "batch": _S.QUEUED}


def may(kind: Kind, state: State, act: Act) -> bool:
    """Whether the machine has this way."""
    way = TRANSITIONS.get((kind, act))
    return way is not None and state in way[0]


def next_state(kind: Kind, state: State, act: Act) -> State:
    """The state after an act.

    Raises:
        TransitionRefused: there is no such way from this state.
    """
    if not may(kind, state, act):
        raise TransitionRefused(
            f"What is {state.value} cannot {act.value}: it is {_article(kind)}.",
            hint=_hint(kind, act),
        )
    return TRANSITIONS[kind, act][1]


def _article(kind: Kind) -> str:
    return {"manual": "a manual run", "inventory": "an inventory run", "batch": "a batch"}[kind]


def _hint(kind: Kind, act: Act) -> str:
    way = TRANSITIONS.get((kind, act))
    if way is None:
        return f"There is no {act.value} for {_article(kind)}."
    return f"{act.value.capitalize()} is possible from: {', '.join(sorted(state.value for state in way[0]))}."
