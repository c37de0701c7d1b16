"""What is true of a simulated campus, chart by chart: counted in plain Python from what the learners did.

Nothing here has been a statement, a line or a row: the happenings of the simulation are counted as the catalogue says
that its numbers are defined. `TRUTHS` holds one function a chart; rows are compared by their key columns.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from schoolhouse.simulate import openedx, torus
from schoolhouse.simulate.campus import Plan, chunks_of, course_of, sections_of
from schoolhouse.simulate.chunks import happenings

Rows = list[dict[str, Any]]
DAY = 86_400_000


class Happening(NamedTuple):
    """One good statement: who, when (ms), its type, its kind, and what the charts ask of it."""

    who: int
    at: int
    section: int
    event_type: str
    kind: str
    page: str = ""
    item: str = ""
    number: int = 0
    right: int = 0
    out_of: int = 0
    hints: int = 0
    objective: str = ""
    video: str = ""
    start: int = 0
    stop: int = 0
    length: int = 0
    condition: str = ""
    sub_type: str = ""

    @property
    def score(self) -> float:
        return self.right / self.out_of


@dataclass
class Campus:
    """Everything that happened in some sections, in order of time for each learner."""

    dialect: str
    events: list[Happening] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Happening]:
        return [event for event in self.events if event.kind in kinds]

    @property
    def tries(self) -> list[Happening]:
        return self.of("activity_attempt", "problem_evaluated")

    @property
    def parts(self) -> list[Happening]:
        return self.of("part_attempt", "problem_evaluated")

    @property
    def views(self) -> list[Happening]:
        return self.of("page_viewed", "navigated_next", "navigated_previous", "tab_selected")

    @property
    def stretches(self) -> list[Happening]:
        ends = ("paused", "completed", "video_paused", "video_completed")
        return [event for event in self.of(*ends) if event.stop > event.start]


def tell(plan: Plan, sections: Iterable[int]) -> Campus:
    """Everything that happened in the sections of these places."""
    campus, wanted = Campus(plan.dialect), set(sections)
    for chunk in chunks_of(plan):
        if chunk.section.index not in wanted:
            continue
        story, batches = happenings(plan, chunk)
        for batch in batches:
            holes = {name: column.tolist() for name, column in {**batch.holes, **batch.facts}.items()}
            who = story.enrolments.learner[batch.enrolment].tolist()
            at = (batch.at_ms + story.enrolments.clock_ms[batch.enrolment]).tolist()
            read = _torus if plan.dialect == "torus" else _openedx
            for row in range(len(batch)):
                facts = {name: column[row] for name, column in holes.items()}
                more = read(plan, chunk.section.index, batch.kind, facts)
                campus.events.append(
                    Happening(who[row], at[row], chunk.section.index, batch.event_type, batch.kind, **more)
                )
    campus.events.sort(key=lambda event: (event.who, event.at))
    return campus


def _torus(plan: Plan, section: int, kind: str, facts: dict[str, int]) -> dict[str, Any]:
    course = course_of(plan, sections_of(plan)[section].course_number)
    more: dict[str, Any] = {}
    if "page" in facts:
        more["page"] = str(torus.page_id(course.number, facts["page"]))
    if "activity" in facts:
        more |= {"item": str(torus.activity_id(course.number, facts["activity"])), "number": facts["activity_number"]}
    if kind == "part_attempt":
        skill = course.number * 1_000 + int(course.item_skill[facts["objectives"]])
        more |= {"right": facts["success"], "out_of": 1, "hints": facts["hints"], "objective": str(skill)}
    if "out_of" in facts:
        more |= {"right": facts["right"], "out_of": facts["out_of"]}
    if kind == "page_attempt":
        more["number"] = facts["page_number"]
    if kind == "page_viewed":
        more["sub_type"] = "graded" if facts["sub_type"] else "practice"
    if kind == "condition_assigned":
        more["condition"] = ("control", "treatment")[facts["condition"]]
        more["item"] = torus.experiment_uuid(course.number)
    if "video" in facts:
        more |= _watched(torus.video_url(course.number, facts["video"]), kind, facts)
    return more


def _openedx(plan: Plan, section: int, kind: str, facts: dict[str, int]) -> dict[str, Any]:
    place = sections_of(plan)[section]
    course = course_of(plan, place.course_number)

    def block(what: str, number: int) -> str:
        return f"{plan.host}/xblock/{openedx.block_id(course, place, what, number)}"

    more: dict[str, Any] = {}
    if "sequential" in facts:
        more["page"] = block("sequential", facts["sequential"])
    if "problem" in facts:
        more["item"] = block("problem", facts["problem"])
    if "out_of" in facts:
        more |= {"right": facts["right"], "out_of": facts["out_of"]}
    if "attempt" in facts:
        more["number"] = facts["attempt"]
    if "video" in facts and "at" in facts:
        more |= _watched(block("video", facts["video"]), kind, facts)
    return more


def _watched(video: str, kind: str, facts: dict[str, int]) -> dict[str, Any]:
    seeks = kind.endswith("seeked")
    return {
        "video": video,
        "start": facts["before"],
        "stop": facts["before"] if seeks else facts["at"],
        "length": facts["length"],
    }


# --- by time ----------------------------------------------------------------------------------------------------------


def _moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def _monday(at: int) -> date:
    day = _moment(at).date()
    return day - timedelta(days=day.weekday())


def _group(events: Iterable[Happening], key: Callable[[Happening], Any]) -> dict[Any, list[Happening]]:
    groups: dict[Any, list[Happening]] = defaultdict(list)
    for event in events:
        groups[key(event)].append(event)
    return groups


def _learners(events: Iterable[Happening]) -> int:
    return len({event.who for event in events})


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None


def event_summary(campus: Campus) -> Rows:
    return [
        {
            "event_type": kind,
            "events": len(events),
            "learners": _learners(events),
            "scored": sum(event.out_of > 0 for event in events),
            "mean_score": _mean(event.score for event in events if event.out_of),
        }
        for kind, events in _group(campus.events, lambda event: event.event_type).items()
    ]


def event_timeline(campus: Campus) -> Rows:
    return [
        {"since": str(week), "event_type": kind, "events": len(events), "learners": _learners(events)}
        for (week, kind), events in _group(campus.events, lambda event: (_monday(event.at), event.event_type)).items()
    ]


def weekly_active_learners(campus: Campus) -> Rows:
    first: dict[int, date] = {}
    for event in campus.events:
        first[event.who] = min(first.get(event.who, date.max), _monday(event.at))
    rows = []
    for week, events in _group(campus.events, lambda event: _monday(event.at)).items():
        active = {event.who for event in events}
        new = sum(first[who] == week for who in active)
        row = {"learners": len(active), "new_learners": new, "returning_learners": len(active) - new}
        rows.append({"week": str(week), **row, "events": len(events)})
    return rows


def engagement_calendar(campus: Campus) -> Rows:
    groups = _group(campus.events, lambda event: (_moment(event.at).isoweekday(), _moment(event.at).hour))
    return [
        {"weekday": weekday, "hour": hour, "events": len(events), "learners": _learners(events)}
        for (weekday, hour), events in groups.items()
    ]


def enrolments(campus: Campus) -> Rows:
    joined: Counter[date] = Counter()
    departed: Counter[date] = Counter()
    for events in _group(campus.events, lambda event: event.who).values():
        registered = [event.at for event in events if event.kind == "registered"]
        joined[_monday(min(registered or [event.at for event in events]))] += 1
        left = [_left_at(own) for own in _group(events, lambda event: event.section).values()]
        if all(left):  # gone from every section
            departed[_monday(max(left))] += 1
    rows, enrolled = [], 0
    for week in sorted(joined | departed):
        enrolled += joined[week] - departed[week]
        rows.append({"week": str(week), "joined": joined[week], "departed": departed[week], "enrolled": enrolled})
    return rows


def _left_at(events: list[Happening]) -> int:
    """When a learner left a section for good, or 0."""
    left = max((event.at for event in events if event.kind == "unregistered"), default=0)
    return left if left > max((event.at for event in events if event.kind == "registered"), default=0) else 0


def time_on_task(campus: Campus) -> Rows:
    sittings: dict[date, list[tuple[int, float]]] = defaultdict(list)
    for who, events in _group(campus.events, lambda event: event.who).items():
        begin = last = events[0].at
        for at in [event.at for event in events[1:]] + [2**60]:
            if at - last > 30 * 60_000:
                sittings[_monday(begin)].append((who, (last - begin) / 60_000))
                begin = at
            last = at
    rows = []
    for week, own in sittings.items():
        minutes = sorted(length for _, length in own)
        row = {"sessions": len(own), "learners": len({who for who, _ in own}), "hours": sum(minutes) / 60}
        row |= {"median_minutes": minutes[len(own) // 2], "p90_minutes": minutes[int(len(own) * 0.9)]}
        rows.append({"week": str(week), **row})
    return rows


# --- pages ------------------------------------------------------------------------------------------------------------


def page_engagement(campus: Campus) -> Rows:
    works = _group(
        campus.of("page_attempt", "activity_attempt", "part_attempt", "subsection_grade"), lambda event: event.page
    )
    rows = []
    for page, views in _group(campus.views, lambda event: event.page).items():
        viewers = {view.who for view in views}
        completers = viewers & {event.who for event in works.get(page, [])}
        row = {"views": len(views), "viewers": len(viewers), "completers": len(completers)}
        rows.append(
            {
                "page": page,
                "sub_type": max(view.sub_type for view in views),
                **row,
                "completion_rate": len(completers) / len(viewers),
            }
        )
    return rows


def page_views_by_day(campus: Campus) -> Rows:
    groups = _group(campus.views, lambda event: (event.page, event.at // DAY))
    return [
        {"page": page, "day": str(_moment(day * DAY).date()), "views": len(views), "viewers": _learners(views)}
        for (page, day), views in groups.items()
    ]


def page_path(campus: Campus) -> Rows:
    moves: dict[tuple[str, str], list[int]] = defaultdict(list)
    for who, views in _group(campus.views, lambda event: event.who).items():
        for now, after in pairwise(views):
            if after.at - now.at <= 30 * 60_000 and after.page != now.page:
                moves[now.page, after.page].append(who)
    return [
        {"from_page": origin, "to_page": goal, "moves": len(who), "learners": len(set(who))}
        for (origin, goal), who in moves.items()
    ]


# --- videos -----------------------------------------------------------------------------------------------------------


def video_completion(campus: Campus) -> Rows:
    rows = []
    for video, events in _group((event for event in campus.events if event.video), lambda event: event.video).items():
        plays = [event.who for event in events if event.kind.endswith("played")]
        finishers = {event.who for event in events if event.kind.endswith("completed")}
        viewers = {*plays, *finishers}
        furthest: Counter[int] = Counter()
        for event in events:
            if event.who in viewers and not event.kind.endswith("seeked"):
                furthest[event.who] = max(furthest[event.who], event.stop)
        if viewers:
            length = max(event.length for event in events)
            row = {"plays": len(plays), "viewers": len(viewers), "finishers": len(finishers)}
            row |= {"completion_rate": len(finishers) / len(viewers)}
            row |= {"mean_reached": _mean(min(1, furthest[who] / length) for who in viewers)}
            rows.append({"video": video, **row})
    return rows


def video_watch_curve(campus: Campus) -> Rows:
    plays = Counter(event.video for event in campus.of("played", "video_played"))
    chosen = min(plays, key=lambda video: (-plays[video], video))
    views: Counter[int] = Counter()
    seen: dict[int, set[int]] = defaultdict(set)
    for stretch in campus.stretches:
        if stretch.video == chosen:
            seconds = range(stretch.start // 10, -(-stretch.stop // 10))
            views.update(seconds)
            seen[stretch.who].update(seconds)
    furthest = [max(seconds) for seconds in seen.values()]
    return [
        {
            "video": chosen,
            "second": second,
            "viewers": sum(second in seconds for seconds in seen.values()),
            "views": count,
            "still_watching": sum(last >= second for last in furthest),
        }
        for second, count in views.items()
    ]


def video_rewatched_parts(campus: Campus) -> Rows:
    played: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for stretch in campus.stretches:
        for part in range(stretch.start // 100, -(-stretch.stop // 100)):
            tenths = min(stretch.stop, part * 100 + 100) - max(stretch.start, part * 100)
            played[stretch.video, part][stretch.who] += tenths
    rows = []
    for (video, part), by_learner in played.items():
        again = sum(tenths > 100 for tenths in by_learner.values())
        if again:
            row = {"viewers": len(by_learner), "rewatchers": again, "rewatch_rate": again / len(by_learner)}
            rows.append({"video": video, "part_start": part * 10, **row})
    return rows


# --- scores -----------------------------------------------------------------------------------------------------------


def _scored(events: list[Happening]) -> dict[str, Any]:
    right = sum(event.right == event.out_of for event in events)
    row = {"attempts": len(events), "learners": _learners(events)}
    return row | {"mean_score": _mean(event.score for event in events), "success_rate": right / len(events)}


def assessment_scores(campus: Campus) -> Rows:
    return [{"activity": item, **_scored(own)} for item, own in _group(campus.tries, lambda event: event.item).items()]


def activity_attempts_by_number(campus: Campus) -> Rows:
    groups = _group(campus.tries, lambda event: min(event.number, 10))
    return [{"attempt_number": number, **_scored(own)} for number, own in groups.items()]


def page_attempts_by_number(campus: Campus) -> Rows:
    groups = _group(campus.of("page_attempt"), lambda event: min(event.number, 10))
    return [{"attempt_number": number, **_scored(own)} for number, own in groups.items()]


def item_analysis(campus: Campus) -> Rows:
    first: dict[int, dict[str, float]] = defaultdict(dict)
    for event in campus.tries:
        first[event.who].setdefault(event.item, event.score)
    pairs: dict[str, list[tuple[float, float | None]]] = defaultdict(list)
    for scores in first.values():
        total, others = sum(scores.values()), len(scores) - 1
        for item, score in scores.items():
            pairs[item].append((score, (total - score) / others if others else None))
    rows = []
    for item, own in pairs.items():
        score = statistics.fmean(score for score, _ in own)
        compared = [pair for pair in own if pair[1] is not None]
        rows.append(
            {
                "activity": item,
                "learners": len(own),
                "first_try_score": score,
                "difficulty": 1 - score,
                "discrimination": _correlation(compared) if len(compared) >= 5 else None,
            }
        )
    return rows


def _correlation(pairs: list[tuple[float, Any]]) -> float | None:
    try:
        return statistics.correlation([first for first, _ in pairs], [rest for _, rest in pairs])
    except statistics.StatisticsError:  # no spread
        return None


def hints_and_success(campus: Campus) -> Rows:
    if campus.dialect == "torus":
        groups = _group(campus.parts, lambda event: min(event.hints, 3))
        return [{"hints_seen": hints, **_scored(own)} for hints, own in groups.items()]
    asked: Counter[tuple[int, str]] = Counter()
    groups = defaultdict(list)
    for event in campus.of("hint_asked", "problem_evaluated"):
        if event.kind == "hint_asked":
            asked[event.who, event.item] += 1
        else:
            groups[min(asked[event.who, event.item], 3)].append(event)
    return [{"hints_seen": hints, **_scored(own)} for hints, own in groups.items()]


def score_distribution(campus: Campus) -> Rows:
    groups = _group(campus.parts, lambda event: min(4, int(event.score * 5)))
    hints = campus.dialect == "torus"
    return [
        {
            "from_percent": group * 20,
            "to_percent": group * 20 + 20,
            "attempts": len(own),
            "learners": _learners(own),
            "mean_hints": _mean(event.hints for event in own) if hints else None,
        }
        for group, own in groups.items()
    ]


def grade_distribution(campus: Campus) -> Rows:
    grades: list[float] = []
    for own in _group(campus.of("course_grade"), lambda event: event.who).values():
        grades.append(own[-1].score)
    for own in _group(campus.of("page_attempt"), lambda event: event.who).values():
        best = [max(tries, key=lambda event: event.score) for tries in _group(own, lambda event: event.page).values()]
        grades.append(sum(event.right for event in best) / sum(event.out_of for event in best))
    counts = Counter(min(9, int(grade * 10)) for grade in grades)
    return [{"from_percent": g * 10, "to_percent": g * 10 + 10, "learners": count} for g, count in counts.items()]


def objective_mastery(campus: Campus) -> Rows:
    rows = []
    for objective, events in _group(campus.of("part_attempt"), lambda event: event.objective).items():
        own = _group(events, lambda event: event.who).values()
        masters = sum(len(parts) >= 3 and sum(part.score for part in parts[-3:]) / 3 >= 0.8 for parts in own)
        row = {"learners": len(own), "masters": masters, "mastery_rate": masters / len(own), "attempts": len(events)}
        rows.append({"objective": objective, **row, "mean_score": _mean(event.score for event in events)})
    return rows


def section_comparison(campus: Campus) -> Rows:
    newest = max(event.at for event in campus.events)
    rows = []
    for section, events in _group(campus.events, lambda event: event.section).items():
        tries = [event for event in events if event.kind in ("activity_attempt", "problem_evaluated")]
        active = _learners(event for event in events if event.at > newest - 7 * DAY)
        row = {"learners": _learners(events), "active_learners": active, "events": len(events)}
        row |= {"events_per_learner": len(events) / _learners(events), "mean_score": _scored(tries)["mean_score"]}
        rows.append({"section": section, **row, "success_rate": _scored(tries)["success_rate"]})
    return rows


def experiment_conditions(campus: Campus) -> Rows:
    given: dict[tuple[str, int], Happening] = {}
    for event in campus.of("condition_assigned"):
        given.setdefault((event.item, event.who), event)
    tries = _group(campus.tries, lambda event: event.who)
    groups: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for (experiment, who), event in given.items():
        scores = [one.score for one in tries.get(who, []) if one.at >= event.at]
        groups[experiment, event.condition].append(scores)
    rows = []
    for (experiment, condition), own in groups.items():
        means = [statistics.fmean(scores) for scores in own if scores]
        mean, deviation = statistics.fmean(means), statistics.stdev(means)
        margin = 1.96 * deviation / len(means) ** 0.5
        row = {"learners": len(own), "scored_learners": len(means), "attempts": sum(map(len, own))}
        row |= {"mean_score": mean, "deviation": deviation, "low": mean - margin, "high": mean + margin}
        rows.append({"experiment": experiment, "condition": condition, **row})
    return rows


def learners_at_risk(campus: Campus) -> Rows:
    today = max(event.at for event in campus.events)
    everyone = _group(campus.events, lambda event: event.who)
    tried = {
        who: len({event.item for event in events if event.kind in ("activity_attempt", "problem_evaluated")})
        for who, events in everyone.items()
    }
    typical = sorted(tried.values())[len(tried) // 2]
    rows = []
    for who, events in everyone.items():
        kinds = [event.kind for event in events if event.kind in ("registered", "unregistered", "course_passed")]
        if "course_passed" in kinds or kinds[-1:] == ["unregistered"]:
            continue
        silent = today // DAY - events[-1].at // DAY
        if silent >= 7 or tried[who] * 2 < typical:
            risk = "silent" if silent >= 7 else "behind"
            rows.append(
                {"who": who, "silent_days": silent, "activities_tried": tried[who], "typical_activities": typical}
                | {"risk": risk}
            )
    return rows


TRUTHS: dict[str, Callable[[Campus], Rows]] = {
    truth.__name__: truth
    for truth in (
        event_summary,
        event_timeline,
        weekly_active_learners,
        engagement_calendar,
        enrolments,
        time_on_task,
        page_engagement,
        page_views_by_day,
        page_path,
        video_completion,
        video_watch_curve,
        video_rewatched_parts,
        assessment_scores,
        activity_attempts_by_number,
        page_attempts_by_number,
        item_analysis,
        hints_and_success,
        score_distribution,
        grade_distribution,
        objective_mastery,
        section_comparison,
        experiment_conditions,
        learners_at_risk,
    )
}
KEYS: dict[str, tuple[str, ...]] = {
    "event_summary": ("event_type",),
    "event_timeline": ("since", "event_type"),
    "weekly_active_learners": ("week",),
    "engagement_calendar": ("weekday", "hour"),
    "enrolments": ("week",),
    "time_on_task": ("week",),
    "page_engagement": ("page",),
    "page_views_by_day": ("page", "day"),
    "page_path": ("from_page", "to_page"),
    "video_completion": ("video",),
    "video_watch_curve": ("video", "second"),
    "video_rewatched_parts": ("video", "part_start"),
    "assessment_scores": ("activity",),
    "activity_attempts_by_number": ("attempt_number",),
    "page_attempts_by_number": ("attempt_number",),
    "item_analysis": ("activity",),
    "hints_and_success": ("hints_seen",),
    "score_distribution": ("from_percent",),
    "grade_distribution": ("from_percent",),
    "objective_mastery": ("objective",),
    "section_comparison": ("section",),
    "experiment_conditions": ("experiment", "condition"),
    "learners_at_risk": ("who",),
}
