"""Every rate of the simulated campus: its default, what it means, and where the default comes from.

`Rates()` is the campus of the demo. `Imperfections()` is flawless input; ask for flaws one by one. `docs/simulate.md`
prints both tables from `describe`, so code and document cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from schoolhouse.errors import UsageError

CHOSEN = "chosen for a believable picture"
IRT = "usual in simulations of the two-parameter logistic model"
MIX = "the mix of events that Open edX sites send, as xapi-db-load weighs it"


def _rate(default: float, meaning: str, source: str = CHOSEN, *, least: float = 0.0, most: float = 1.0) -> Any:
    return field(default=default, metadata={"meaning": meaning, "source": source, "least": least, "most": most})


def _checked(rates: Any) -> None:
    for one in fields(rates):
        value, least, most = getattr(rates, one.name), one.metadata["least"], one.metadata["most"]
        if not least <= value <= most:
            raise UsageError(
                f"{one.name} is {value}, outside {least} to {most}.", hint=f"It means: {one.metadata['meaning']}"
            )


@dataclass(frozen=True)
class Rates:
    """How learners of the campus behave, and what courses are made of."""

    # --- the campus ---
    enrollments_per_learner: float = _rate(1.5, "sections that a learner joins, on average", least=1, most=50)
    section_size_spread: float = _rate(0.5, "log-normal spread of section sizes", most=3)
    statements_per_learner_day: float = _rate(
        8.0, "statements of one enrolment and day of term, where no total is asked for", least=0.01, most=10_000
    )
    # --- what a course is made of ---
    pages_per_week: float = _rate(5, "pages of a course for each week of term", least=1, most=50)
    video_share: float = _rate(0.6, "pages with a video")
    video_median_seconds: float = _rate(
        330,
        "median length of a video",
        "six minutes is where attention ends (Guo, Kim, Rubin 2014)",
        least=30,
        most=1100,
    )
    items_per_page: float = _rate(3, "questions on a page, on average", least=1, most=10)
    graded_share: float = _rate(
        0.2, "pages that are graded, evenly spread: by default the last of each week", "one quiz in five pages a week"
    )
    # --- items and skills ---
    difficulty_mean: float = _rate(
        -0.5, "mean difficulty of questions, in logits", "courses are easier than tests", least=-4, most=4
    )
    difficulty_spread: float = _rate(1.0, "standard deviation of difficulty, in logits", IRT, most=3)
    discrimination_spread: float = _rate(0.3, "log-normal spread of discrimination around 1", IRT, most=1)
    ability_spread: float = _rate(1.0, "standard deviation of ability, in logits", IRT, most=3)
    learning_gain: float = _rate(
        0.25,
        "logits gained by each earlier meeting with a question of the same skill",
        "performance factors analysis finds 0.1 to 0.4 (Pavlik, Cen, Koedinger 2009)",
        most=3,
    )
    memory_days: float = _rate(
        20,
        "days until a meeting with a skill has faded to 1/e",
        "forgetting is exponential in time",
        least=0.1,
        most=3650,
    )
    retry_gain: float = _rate(0.6, "logits gained by the feedback on each failed try", most=3)
    attempt_share: float = _rate(0.85, "questions of a page that are tried")
    retry_share: float = _rate(0.75, "failed tries that are tried again, by a learner of middling persistence")
    hint_share: float = _rate(0.3, "tries again before which a hint is asked; more by weaker learners")
    show_answer_share: float = _rate(0.25, "questions given up whose answer is then shown", MIX)
    tutor_share: float = _rate(0.03, "failed tries that an intelligent tutor comments on")
    answer_seconds: float = _rate(45, "median time on one try", least=1, most=3600)
    # --- watching ---
    play_share: float = _rate(0.7, "visits to a page with a video in which it is played")
    full_watch_share: float = _rate(0.45, "plays that go on to the end, by a learner of middling persistence", MIX)
    pauses_per_play: float = _rate(
        0.8, "pauses in the middle of a video, on average, but for those beyond the third", MIX, most=3
    )
    seek_share: float = _rate(0.4, "pauses followed by a jump", MIX)
    seek_back_share: float = _rate(0.7, "jumps that go back", "learners mostly jump back to see again")
    transcript_share: float = _rate(0.01, "plays in which the transcript is switched on", MIX)
    # --- time ---
    visits_per_session: float = _rate(3.5, "pages seen in one sitting, on average", least=1, most=50)
    pause_seconds: float = _rate(40, "median pause between two pages of a sitting", least=1, most=3600)
    evening_share: float = _rate(0.6, "sittings drawn from the evening curve rather than the daytime curve")
    weekend_weight: float = _rate(0.7, "activity of a Saturday or Sunday against a weekday", least=0.01, most=10)
    deadline_pull: float = _rate(1.0, "extra activity on the last two days before a weekly deadline", most=10)
    lag_days: float = _rate(2.0, "days that learners lag behind the term, on average", most=60)
    revisit_share: float = _rate(0.12, "visits that go back to an earlier page")
    # --- staying and leaving ---
    enrollment_days: float = _rate(3.0, "mean days from the start of term to enrolment", most=60)
    drop_out: float = _rate(
        0.3,
        "enrolments that end before the term does",
        "between a credit course (0.1) and an open one (0.9)",
        most=0.99,
    )
    unregister_share: float = _rate(0.3, "drop-outs who leave the section formally", MIX)
    pass_grade: float = _rate(0.6, "share of the reachable grade that passes the course")
    # --- the rest ---
    previous_share: float = _rate(0.06, "navigations that go to the previous unit", MIX)
    tab_share: float = _rate(0.02, "visits that start from a tab of the course", MIX)
    link_share: float = _rate(0.02, "visits in which an outside link is followed", MIX)
    post_share: float = _rate(0.02, "visits with a new thread in the forum", MIX)
    reply_share: float = _rate(0.03, "visits with a reply in the forum")
    experiment_share: float = _rate(0.5, "Torus projects that run an experiment with two conditions")
    intervention_share: float = _rate(0.25, "pages of such a project whose attempts carry the learner's condition")
    legacy_share: float = _rate(0.01, "plays that an old Torus page tells once more, as `experienced`")

    def __post_init__(self) -> None:
        _checked(self)


@dataclass(frozen=True)
class Imperfections:
    """Flaws of the input, each as a share of the good statements. Flawed lines come on top of them."""

    duplicates: float = _rate(0.0, "good lines that are sent a second time, byte for byte", "off by default")
    late: float = _rate(0.0, "good lines that stand later in the file than their time says", "off by default")
    skewed_clocks: float = _rate(
        0.0, "enrolments whose device clock is wrong, by up to six hours either way", "off by default"
    )
    malformed: float = _rate(0.0, "lines that are no statement: cut off, or JSON of another kind", "off by default")
    missing_fields: float = _rate(0.0, "lines that lack actor, verb, object or a usable timestamp", "off by default")
    too_long: float = _rate(0.0, "lines of a megabyte, more than the warehouse takes", "off by default", most=0.01)

    def __post_init__(self) -> None:
        _checked(self)


def describe(kind: type[Rates] | type[Imperfections]) -> list[tuple[str, float, str, str]]:
    """Name, default, meaning and source of every rate, in order."""

    def row(one: Any) -> tuple[str, float, str, str]:
        return one.name, float(one.default), one.metadata["meaning"], one.metadata["source"]

    return [row(one) for one in fields(kind)]


def as_markdown(kind: type[Rates] | type[Imperfections]) -> str:
    """The rates as a table, as `docs/simulate.md` has it."""
    rows = [f"| `{name}` | {default:g} | {meaning} | {source} |" for name, default, meaning, source in describe(kind)]
    return "\n".join(["| rate | default | meaning | source |", "| --- | --- | --- | --- |", *rows])
