"""Learners who practise by themselves: sessions, answers, and what is true of both, as arrays that know no message.

In: a `TopicPlan`. Out: a `Practised`. The answers follow one of two models, so that what estimates its parameters can
be measured: `irt`, the campus's two-parameter logistic model with ability that grows by practice and fades, or `bkt`,
in which a learner knows a topic or does not, and slips, guesses and learns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from schoolhouse.errors import UsageError
from schoolhouse.simulate.behaviour import hour_curve
from schoolhouse.simulate.campus import DAY_MS, Floats, Ints, Plan, learners_of, stream
from schoolhouse.simulate.practice import MOST_STRENGTH
from schoolhouse.simulate.rates import Rates
from schoolhouse.simulate.series import faded_count, occurrence

HOUR_MS = 3_600_000
ITEMS_PER_SESSION = 20
STAYS_ON_TOPIC = 0.8  # answers that practise the topic of the session
TOPIC_SPREAD = 0.5  # logits by which a learner is better in one topic than in another
SESSION_TYPES = ("practice", "review", "mock_test")
SESSION_SHARES = (0.7, 0.2, 0.1)
NAMES = (
    "algebra", "geometry", "fractions", "probability", "calculus", "trigonometry", "statistics", "logic",
)  # fmt: skip


@dataclass(frozen=True)
class TopicPlan:
    """What is asked for. Equal plans make equal messages."""

    attempts: int = 20_000
    learners: int = 200
    topics: int = 5
    items: int = 200
    start: datetime = datetime(2025, 9, 1, tzinfo=UTC)
    hours: int = 168
    seed: int = 1
    model: Literal["irt", "bkt"] = "irt"
    with_states: bool = True  # messages carry what the platform holds of the learner
    examples: float = 0.1  # share of attempts that become a training example
    duplicates: float = 0.0
    late: float = 0.0
    malformed: float = 0.0
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        if self.model not in {"irt", "bkt"}:
            raise UsageError(f"There is no model {self.model!r}.", hint="It is irt or bkt.")
        bounds = {
            "attempts": 1_000_000_000,
            "learners": 10_000_000,
            "topics": 1_000,
            "items": 1_000_000,
            "hours": 87_600,
        }
        for name, most in bounds.items():
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be between 1 and {most:,}.")
        if self.items < self.topics:
            raise UsageError(f"{self.items} questions do not reach for {self.topics} topics.")
        if self.seed < 0:
            raise UsageError("The seed may not be negative.")

    @property
    def start_ms(self) -> int:
        """First moment, in milliseconds since 1970."""
        return int(self.start.timestamp() * 1000)

    def random(self, *names: int | str) -> np.random.Generator:
        """A random stream of its own for each name."""
        return stream(self._campus, "topics", *names)

    @property
    def _campus(self) -> Plan:
        return Plan(seed=self.seed, learners=self.learners, rates=self.rates)


@dataclass(frozen=True)
class Content:
    """Questions and topics. Arrays hold one entry a question, or one a topic."""

    item_topic: Ints
    discrimination: Floats
    difficulty: Floats
    prior: Floats
    learn: Floats
    guess: Floats
    slip: Floats

    def topic_name(self, number: int) -> str:
        """The name of a topic."""
        return NAMES[number % len(NAMES)] + (f"_{number // len(NAMES) + 1}" if number >= len(NAMES) else "")


@dataclass(frozen=True)
class Sessions:
    """One entry a session, by start."""

    learner: Ints
    kind: Ints  # place in SESSION_TYPES
    start_ms: Ints
    end_ms: Ints


@dataclass(frozen=True)
class Practised:
    """One entry an attempt, in order of time."""

    plan: TopicPlan
    content: Content
    sessions: Sessions
    session: Ints
    learner: Ints
    item: Ints
    topic: Ints
    at_ms: Ints
    took_ms: Ints
    correct: NDArray[np.bool_]
    ability: Floats  # at that moment; under `bkt`, 1 who knows and 0 who does not


def practised(plan: TopicPlan) -> Practised:
    """Let the learners practise."""
    content = content_of(plan)
    session, sessions, kind_topic = _sessions(plan)
    item = _items(plan, content, kind_topic[session])
    learner = sessions.learner[session]
    took, offset = _times(plan, session, learner)
    at = sessions.start_ms[session] + offset
    ends = sessions.start_ms.copy()
    np.maximum.at(ends, session, at)
    order = np.argsort(at, kind="stable")
    session, learner, item, at, took = (column[order] for column in (session, learner, item, at, took))
    topic = content.item_topic[item]
    ability, chance = _chances(plan, content, (learner, item, topic), at)
    return Practised(
        plan=plan,
        content=content,
        sessions=Sessions(sessions.learner, sessions.kind, sessions.start_ms, ends),
        session=session,
        learner=learner,
        item=item,
        topic=topic,
        at_ms=at,
        took_ms=took,
        correct=plan.random("answers").random(len(at)) < chance,
        ability=ability,
    )


def content_of(plan: TopicPlan) -> Content:
    """Questions, shared out evenly over the topics, and the parameters of both models."""
    random, rates = plan.random("content"), plan.rates
    return Content(
        item_topic=np.arange(plan.items) % plan.topics,
        discrimination=random.lognormal(0, rates.discrimination_spread, plan.items),
        difficulty=random.normal(rates.difficulty_mean, rates.difficulty_spread, plan.items),
        prior=random.uniform(0.1, 0.5, plan.topics),
        learn=random.uniform(0.05, 0.25, plan.topics),
        guess=random.uniform(0.1, 0.3, plan.topics),
        slip=random.uniform(0.03, 0.15, plan.topics),
    )


def _sessions(plan: TopicPlan) -> tuple[Ints, Sessions, Ints]:
    """The session of each attempt, the sessions, and the topic of each."""
    random = plan.random("sessions")
    count = max(1, plan.attempts // ITEMS_PER_SESSION)
    sizes = np.ones(count, dtype=np.int64)
    weight = random.gamma(3.0, 1.0, count)
    sizes += random.multinomial(plan.attempts - count, weight / weight.sum())
    traits = learners_of(plan._campus)
    diligence = traits.diligence / traits.diligence.sum()
    learner = random.choice(plan.learners, count, p=diligence)
    start = np.sort(_starts(plan, random, count))
    kind = random.choice(len(SESSION_TYPES), count, p=SESSION_SHARES)
    topic = random.integers(0, plan.topics, count)
    return np.repeat(np.arange(count), sizes), Sessions(learner, kind, start, start), topic


def _starts(plan: TopicPlan, random: np.random.Generator, count: int) -> Ints:
    """Moments in the span, by hours of the day and days of the week."""
    hour = plan.start_ms // HOUR_MS + np.arange(plan.hours)
    weekday = (hour // 24 + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    curve = hour_curve(Plan(rates=plan.rates))
    weight = curve[hour % 24] * np.where(weekday >= 5, plan.rates.weekend_weight, 1.0) + 1e-6
    heap = np.concatenate([[0.0], np.cumsum(weight)])
    at = np.interp(random.random(count) * heap[-1], heap, np.arange(plan.hours + 1.0))
    return np.asarray(plan.start_ms + (at * HOUR_MS).astype(np.int64))


def _items(plan: TopicPlan, content: Content, topic: Ints) -> Ints:
    """A question for each attempt: mostly of the session's topic."""
    random = plan.random("items")
    chosen = np.where(random.random(len(topic)) < STAYS_ON_TOPIC, topic, random.integers(0, plan.topics, len(topic)))
    # Topic t has the questions t, t + topics, t + 2 topics, and so on.
    of_topic = (plan.items - chosen - 1) // plan.topics + 1
    return np.asarray(chosen + plan.topics * (random.random(len(topic)) * of_topic).astype(np.int64))


def _times(plan: TopicPlan, session: Ints, learner: Ints) -> tuple[Ints, Ints]:
    """Milliseconds that each answer took, and from the session's start to the answer."""
    random = plan.random("times")
    speed = learners_of(plan._campus).speed[learner]
    # Drill is quicker than the questions of a course page: a third of their time.
    seconds = random.lognormal(np.log(plan.rates.answer_seconds / 3), 0.5, len(session)) / speed
    took = np.maximum((seconds * 1000).astype(np.int64), 300)
    pause = (random.exponential(2_000, len(session))).astype(np.int64)
    total = np.cumsum(took + pause)
    first = np.concatenate([[True], session[1:] != session[:-1]])
    before = np.maximum.accumulate(np.where(first, total - took - pause, 0))
    return took, np.asarray(total - before)


def _chances(plan: TopicPlan, content: Content, who_what: tuple[Ints, Ints, Ints], at: Ints) -> tuple[Floats, Floats]:
    """What the learner can do at each attempt, and the chance of a right answer."""
    learner, item, topic = who_what
    random = plan.random("traits")
    pair = learner * plan.topics + topic
    if plan.model == "bkt":
        pairs = plan.learners * plan.topics
        knows_at_first = random.random((plan.learners, plan.topics)) < content.prior
        # After which answer the learner learns: a geometric wait.
        wait = random.geometric(np.broadcast_to(content.learn, (plan.learners, plan.topics)))
        learned = np.where(knows_at_first, 0, wait).reshape(pairs)[pair]
        knows = occurrence(pair) > learned
        return knows.astype(float), np.where(knows, 1 - content.slip[topic], content.guess[topic])
    own = random.normal(0, TOPIC_SPREAD, plan.learners * plan.topics)[pair]
    strength = np.minimum(faded_count(pair, at / DAY_MS, plan.rates.memory_days), MOST_STRENGTH)
    ability = learners_of(plan._campus).ability[learner] + own + plan.rates.learning_gain * strength
    logit = content.discrimination[item] * (ability - content.difficulty[item])
    return ability, 1 / (1 + np.exp(-logit))
