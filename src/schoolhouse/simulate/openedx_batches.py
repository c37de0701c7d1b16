"""What happens on the campus, as Open edX's kinds of statements: which columns fill the holes of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story
from schoolhouse.simulate.campus import Ints, Plan
from schoolhouse.simulate.pieces import score_number
from schoolhouse.simulate.watching import Act

# The kind and the verb of each act at a player.
ACTS: Final = {
    Act.LOADED: ("video_loaded", "initialized"),
    Act.PLAYED: ("video_played", "played"),
    Act.PAUSED: ("video_paused", "paused"),
    Act.SEEKED: ("video_seeked", "seeked"),
    Act.COMPLETED: ("video_completed", "completed"),
    Act.STOPPED: ("video_stopped", "terminated"),
    Act.TRANSCRIPT_ON: ("transcript_enabled", "interacted"),
    Act.TRANSCRIPT_OFF: ("transcript_disabled", "interacted"),
}


def batches(plan: Plan, story: Story, random: np.random.Generator) -> list[Batch]:
    """Every statement of the story, by kind."""
    return [
        *_enrolling(story),
        *_navigating(plan, story, random),
        *_problems(story, random),
        *_grades(plan, story),
        *_forum(plan, story, random),
        *_watching(story),
    ]


def _enrolling(story: Story) -> list[Batch]:
    enrolments = story.enrolments
    every = np.arange(len(enrolments.learner))
    sessions = int(story.visits.session.max(initial=-1)) + 1
    made = []
    for kind, who, at in (
        ("registered", every, enrolments.start_ms),
        ("unregistered", np.flatnonzero(enrolments.unregisters), enrolments.end_ms),
    ):
        made.append(
            Batch(
                kind=kind,
                event_type="enrollment",
                enrolment=who,
                visit=np.full(len(who), -1),
                at_ms=at[who],
                holes={"mode": enrolments.mode[who], "session": sessions + who},
            )
        )
    return made


def _in_visit(story: Story, kind: str, event_type: str, visit: Ints, offset_ms: Ints | int, **holes: Ints) -> Batch:
    visits = story.visits
    return Batch(
        kind=kind,
        event_type=event_type,
        enrolment=visits.enrolment[visit],
        visit=visit,
        at_ms=visits.start_ms[visit] + offset_ms,
        holes={"session": visits.session[visit], **holes},
    )


def _navigating(plan: Plan, story: Story, random: np.random.Generator) -> list[Batch]:
    rates, course, page = plan.rates, story.course, story.visits.page
    draw = random.random(len(page))
    edges = np.cumsum([rates.tab_share, rates.previous_share])
    kinds = (
        ("tab_selected", np.flatnonzero(draw < edges[0])),
        ("navigated_previous", np.flatnonzero((draw >= edges[0]) & (draw < edges[1]))),
        ("navigated_next", np.flatnonzero(draw >= edges[1])),
    )
    size = np.bincount(course.page_sequence)
    first = np.cumsum(size) - size
    made = []
    for kind, visit in kinds:
        sequence = course.page_sequence[page[visit]]
        holes = {
            "sequential": sequence,
            "position": page[visit] - first[sequence] + 1,
            "siblings": size[sequence],
        }
        made.append(_in_visit(story, kind, "navigation", visit, 0, **holes))
    followed = np.flatnonzero(random.random(len(page)) < rates.link_share)
    made.append(_in_visit(story, "link_clicked", "navigation", followed, 9_000, vertical_hash=page[followed]))
    seen = np.flatnonzero(story.visits.number == 1)
    ends = (story.visits.end_ms - story.visits.start_ms)[seen] - 500
    made.append(_in_visit(story, "block_completed", "completion", seen, np.maximum(ends, 1), vertical=page[seen]))
    return made


def _problems(story: Story, random: np.random.Generator) -> list[Batch]:
    practice = story.practice
    visit, at = practice.visit, practice.offset_ms
    # Each input's choice: the key if it was right, else one of the three others.
    place = np.arange(3)
    key = (practice.item[:, None] * 7 + place) % 4
    right = (practice.mask[:, None] >> place) & 1
    choice = np.where(right == 1, key, (key + random.integers(1, 4, key.shape)) % 4)
    choice = np.where(place < practice.parts[:, None], choice, 0)
    response = np.array([0, 0, 4, 20])[practice.parts] + choice @ np.array([1, 4, 16])
    evaluated = _in_visit(
        story,
        "problem_evaluated",
        "problem",
        visit,
        at + 120,
        problem=practice.item,
        question=practice.item,
        attempt=np.minimum(practice.number, 9_999),
        response=response,
        score=score_number(practice.right, practice.parts),
        success=(practice.right == practice.parts).astype(np.int64),
    )
    evaluated.facts.update(item=practice.item, right=practice.right, out_of=practice.parts)
    made = [_in_visit(story, "problem_attempted", "problem", visit, at, problem=practice.item), evaluated]
    for kind, asked, later in (
        ("hint_asked", practice.asks_hint, 4_000),
        ("answer_asked", practice.shows_answer, 5_000),
    ):
        row = np.flatnonzero(asked)
        made.append(
            _in_visit(
                story,
                kind,
                "hint",
                visit[row],
                at[row] + later,
                problem=practice.item[row],
                hint=practice.hints[row] + 1,
            )
        )
    return made


def _grades(plan: Plan, story: Story) -> list[Batch]:
    course, visits, practice = story.course, story.visits, story.practice
    done = practice.finish_visit
    who = visits.enrolment[done]
    reachable = max(1, int(course.page_points[course.page_is_graded].sum()))
    gained = np.cumsum(practice.finish_right)
    fresh = np.flatnonzero(np.diff(who, prepend=-1))
    before = np.repeat((gained - practice.finish_right)[fresh], np.diff(np.append(fresh, len(who))))
    percent = (gained - before) * 100 // reachable
    passing = (percent >= plan.rates.pass_grade * 100).astype(np.int64)
    subsection = _in_visit(
        story,
        "subsection_grade",
        "grade",
        done,
        practice.finish_offset_ms,
        sequential=course.page_sequence[visits.page[done]],
        score=score_number(practice.finish_right, practice.finish_out_of),
        success=(practice.finish_right == practice.finish_out_of).astype(np.int64),
    )
    subsection.facts.update(right=practice.finish_right, out_of=practice.finish_out_of)
    whole = _in_visit(
        story,
        "course_grade",
        "grade",
        done,
        practice.finish_offset_ms + 60,
        score=score_number(percent, np.full(len(done), 100)),
        classification=passing,
    )
    whole.facts.update(right=percent, out_of=np.full(len(done), 100))
    passed = np.flatnonzero(passing)
    passed = passed[np.flatnonzero(np.diff(who[passed], prepend=-1))]
    return [
        subsection,
        whole,
        _in_visit(story, "course_passed", "grade", done[passed], practice.finish_offset_ms[passed] + 90),
    ]


def _forum(plan: Plan, story: Story, random: np.random.Generator) -> list[Batch]:
    count = len(story.visits.page)
    started = np.flatnonzero(random.random(count) < plan.rates.post_share)
    if plan.sizes:  # a configured course has so many threads and no more, shared out over its chunks
        section, chunk = story.chunk.section, story.chunk
        most = plan.sizes[section.index].posts
        started = started[: most * chunk.last // section.learners - most * chunk.first // section.learners]
    replied = np.flatnonzero(random.random(count) < plan.rates.reply_share)
    made = [_in_visit(story, "thread_posted", "forum", started, 21_000, thread=started)]
    if len(started):
        # Replies go to the latest thread that someone of this chunk has started by then.
        order = started[np.argsort(story.visits.start_ms[started])]
        place = np.searchsorted(story.visits.start_ms[order], story.visits.start_ms[replied]) - 1
        replied, place = replied[place >= 0], place[place >= 0]
        made.append(_in_visit(story, "reply_posted", "forum", replied, 33_000, comment=replied, thread=order[place]))
    return made


def to_known_threads(batches: list[Batch]) -> list[Batch]:
    """The same statements, with replies to threads that are still there: to cut a chunk to size takes some back.

    The first reply that finds none before it becomes a thread itself.
    """
    kinds = [batch.kind for batch in batches]
    if "reply_posted" not in kinds or not len(replies := batches[kinds.index("reply_posted")]):
        return batches
    threads = batches[kinds.index("thread_posted")]
    first = int(np.argmin(replies.at_ms))
    if not len(threads) or replies.at_ms[first] <= threads.at_ms.min():
        is_first = np.arange(len(replies)) == first
        started, replies = replies.only(is_first), replies.only(~is_first)
        threads = replace(
            threads,
            enrolment=np.append(threads.enrolment, started.enrolment),
            visit=np.append(threads.visit, started.visit),
            at_ms=np.append(threads.at_ms, started.at_ms),
            holes={
                "session": np.append(threads.holes["session"], started.holes["session"]),
                "thread": np.append(threads.holes["thread"], started.visit),
            },
        )
    order = np.argsort(threads.at_ms, kind="stable")
    latest = np.maximum(np.searchsorted(threads.at_ms[order], replies.at_ms) - 1, 0)
    replies = replace(replies, holes=replies.holes | {"thread": threads.holes["thread"][order][latest]})
    forum = {"thread_posted": threads, "reply_posted": replies}
    return [forum.get(batch.kind, batch) for batch in batches]


def _watching(story: Story) -> list[Batch]:
    watching, course = story.watching, story.course
    made = []
    for act, (kind, _) in ACTS.items():
        row = np.flatnonzero(watching.act == act)
        visit = watching.visit[row]
        page = story.visits.page[visit]
        seconds = course.page_video_seconds[page]
        batch = _in_visit(
            story,
            kind,
            "video",
            visit,
            watching.offset_ms[row],
            video=page,
            at=watching.at[row],
            before=watching.before[row],
            length=seconds * 10,
            duration=seconds,
        )
        batch.facts.update(video=page)
        made.append(batch)
    return made
