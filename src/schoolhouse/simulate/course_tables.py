"""Course and learner tables as event-sink-clickhouse writes them: the state at each publish, and who the learners are.

Rows come one by one, so that a table of any length needs little memory. Every publish writes each block once, ids are
well formed, and tags point to the one taxonomy that there is.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from schoolhouse.simulate import openedx
from schoolhouse.simulate.behaviour import enrolments_of
from schoolhouse.simulate.campus import Course, Plan, Section, chunks_of, course_of, sections_of

Row = tuple[Any, ...]
TAXONOMY: Final = 1
# A small tree of skills: a name and its parent.
TAGS: Final = (
    ("Thinking", ""),
    ("Remember", "Thinking"),
    ("Understand", "Thinking"),
    ("Apply", "Thinking"),
    ("Analyse", "Thinking"),
    ("Working", ""),
    ("Read", "Working"),
    ("Write", "Working"),
    ("Calculate", "Working"),
    ("Measure", "Working"),
    ("Discuss", "Working"),
)
_NAMES: Final = (
    "Ada",
    "Ben",
    "Chen",
    "Dina",
    "Eli",
    "Fatou",
    "Gus",
    "Hana",
    "Ivo",
    "Juno",
    "Kofi",
    "Lena",
    "Mats",
    "Noor",
)
_FAMILY: Final = ("Abel", "Brand", "Costa", "Diaz", "Ekberg", "Fofana", "Gray", "Haas", "Ito", "Jansen", "Kaya", "Lund")
_LEVELS: Final = ("", "b", "m", "hs", "p", "a", "jhs")
BLOCK_ROWS: Final = 20_000


@dataclass(frozen=True)
class Table:
    """One table: its name, the name of its file, its columns with their types, and its rows."""

    name: str
    file: str
    columns: tuple[tuple[str, str], ...]
    rows: Callable[[], Iterator[Row]]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(name for name, _ in self.columns)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """The rows as CSV without a header, some at a time, with their number."""
        rows = self.rows()
        while block := list(islice(rows, BLOCK_ROWS)):
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(block)
            yield len(block), text.getvalue().encode()


def tables_of(plan: Plan, *, publishes: int, profile_changes: int) -> tuple[Table, ...]:
    """Every table of a run, in the order in which they are written."""
    dumped = (("dump_id", "UUID"), ("time_last_dumped", "DateTime64(6)"))

    def table(name: str, file: str, columns: str, rows: Callable[[], Iterator[Row]]) -> Table:
        typed = tuple((column.split(":")[0], column.split(":")[1]) for column in columns.split())
        return Table(name, file, typed + dumped, rows)

    time = "DateTime64(6)"
    return (
        table(
            "course_overviews",
            "courses",
            f"org:String course_key:String display_name:String course_start:{time} course_end:{time}"
            f" enrollment_start:{time} enrollment_end:{time} self_paced:Bool course_data_json:String"
            f" created:{time} modified:{time}",
            lambda: _overviews(plan, publishes),
        ),
        table(
            "course_blocks",
            "blocks",
            "org:String course_key:String location:String display_name:String xblock_data_json:String order:Int32"
            f" edited_on:{time}",
            lambda: _blocks(plan, publishes),
        ),
        table(
            "object_tag",
            "object_tags",
            "id:Int32 object_id:String taxonomy:Int32 tag:Int32 _value:String _export_id:String lineage:String",
            lambda: _object_tags(plan),
        ),
        table("taxonomy", "taxonomies", "id:Int32 name:String", lambda: _taxonomies(plan)),
        table(
            "tag",
            "tags",
            "id:Int32 taxonomy:Int32 parent:Int32 value:String external_id:String lineage:String",
            lambda: _tags(plan),
        ),
        table(
            "external_id",
            "external_ids",
            "external_user_id:UUID external_id_type:String username:String user_id:Int32",
            lambda: _external_ids(plan),
        ),
        table(
            "user_profile",
            "user_profiles",
            "id:Int32 user_id:Int32 name:String username:String email:String meta:String courseware:String"
            " language:String location:String year_of_birth:String gender:String level_of_education:String"
            " mailing_address:String city:String country:String state:String goals:String bio:String"
            " profile_image_uploaded_at:String phone_number:String",
            lambda: _profiles(plan, profile_changes),
        ),
        table(
            "course_enrollment",
            "enrollments",
            f"id:Int32 course_key:String created:{time} is_active:Bool mode:String username:String user_id:Int32",
            lambda: _enrollments(plan),
        ),
    )


def _stamp(milliseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _dump(plan: Plan, *names: object) -> str:
    """The identity of a dump: the same for the same run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plan.host}/{plan.seed}/{'/'.join(map(str, names))}"))


def _run(plan: Plan, section: Section) -> tuple[Course, str, str]:
    course = course_of(plan, section.course_number)
    return course, openedx.course_key(course, section), f"Org{course.organization + 1}"


def _published(plan: Plan, section: Section, turn: int, publishes: int) -> int:
    """When the nth publish was: spread over the sixty days before the term."""
    return section.start_ms - (publishes - turn) * 60 * 86_400_000 // (publishes + 1)


def _overviews(plan: Plan, publishes: int) -> Iterator[Row]:
    for section in sections_of(plan):
        course, key, organization = _run(plan, section)
        end = section.start_ms + plan.length_days * 86_400_000
        span = (_stamp(section.start_ms), _stamp(end), _stamp(section.start_ms), _stamp(end), False)
        for turn in range(publishes):
            at = _published(plan, section, turn, publishes)
            created = _stamp(_published(plan, section, 0, publishes))
            yield (
                *(organization, key, course.title, *span, json.dumps({"name": course.title, "run": section.run})),
                *(created, _stamp(at), _dump(plan, "course", key, turn), _stamp(at)),
            )


def _blocks(plan: Plan, publishes: int) -> Iterator[Row]:
    for section in sections_of(plan):
        _, key, organization = _run(plan, section)
        plain = list(_tree(plan, section))
        for turn in range(publishes):
            at = _stamp(_published(plan, section, turn, publishes))
            dump = _dump(plan, "course", key, turn)
            for order, (location, name, data) in enumerate(plain):
                yield organization, key, location, name, data, order, at, dump, at


def _tree(plan: Plan, section: Section) -> Iterator[tuple[str, str, str]]:
    """Location, name and data of every block of a course, in the order of the course."""
    course, key, _ = _run(plan, section)

    def block(kind: str, number: int, name: str, place: tuple[int, int, int]) -> tuple[str, str, str]:
        names = dict(zip(("section", "subsection", "unit"), place, strict=True))
        data = json.dumps({"course": key, "run": section.run, "block_type": kind, **names})
        return openedx.block_id(course, section, kind, number), name, data

    location = key.replace("course-v1", "block-v1") + "+type@course+block@course"
    yield location, course.title, json.dumps({"course": key, "run": section.run, "block_type": "course"})
    chapters, sequences = int(course.page_chapter.max()) + 1, int(course.page_sequence.max()) + 1
    if plan.sizes:
        chapters, sequences = plan.sizes[section.index].chapters, plan.sizes[section.index].sequences
    chapter = sequence = -1
    for page in range(course.pages):
        wanted_chapter = min(int(course.page_chapter[page]), chapters - 1)
        while chapter < (chapters - 1 if page == course.pages - 1 else wanted_chapter):
            chapter += 1
            yield block("chapter", chapter, f"Week {chapter + 1}", (chapter + 1, 0, 0))
        while sequence < (sequences - 1 if page == course.pages - 1 else int(course.page_sequence[page])):
            sequence += 1
            yield block("sequential", sequence, f"Lesson {sequence + 1}", (chapter + 1, sequence + 1, 0))
        place = (chapter + 1, sequence + 1, page + 1)
        yield block("vertical", page, f"Page {page + 1}", place)
        if course.page_video_seconds[page]:
            yield block("video", page, f"{course.title}, part {page + 1}", place)
        for item in range(int(course.page_first_item[page]), int(course.page_first_item[page + 1])):
            yield block("problem", item, f"Question {item + 1}", place)


def _tags(plan: Plan) -> Iterator[Row]:
    at, dump = _stamp(plan.start_ms), _dump(plan, "tags")
    numbers = {name: number + 1 for number, (name, _) in enumerate(TAGS)}
    for name, parent in TAGS:
        yield numbers[name], TAXONOMY, numbers.get(parent, 0), name, name.lower(), _lineage(name), dump, at


def _lineage(name: str) -> str:
    parent = dict(TAGS)[name]
    return json.dumps([parent, name] if parent else [name])


def _taxonomies(plan: Plan) -> Iterator[Row]:
    yield TAXONOMY, "Skills", _dump(plan, "taxonomy"), _stamp(plan.start_ms)


def _object_tags(plan: Plan) -> Iterator[Row]:
    """Two tags on every course and one on every second problem."""
    at, dump, number = _stamp(plan.start_ms), _dump(plan, "object tags"), 0
    leaves = [(place + 1, name) for place, (name, parent) in enumerate(TAGS) if parent]
    for section in sections_of(plan):
        course, key, _ = _run(plan, section)
        problems = [openedx.block_id(course, section, "problem", item) for item in range(0, course.items, 2)]
        for place, what in enumerate([key, key, *problems]):
            tag, name = leaves[(course.number + place) % len(leaves)]
            number += 1
            yield number, what, TAXONOMY, tag, name, f"{TAXONOMY}-skills", _lineage(name), dump, at


def _external_ids(plan: Plan) -> Iterator[Row]:
    at, dump = _stamp(plan.start_ms), _dump(plan, "external ids")
    for first in range(0, plan.learners, BLOCK_ROWS):
        some = list(range(first, min(first + BLOCK_ROWS, plan.learners)))
        for learner, name in zip(some, openedx.learner_ids(plan, some), strict=True):
            yield name, "xapi", f"learner_{learner}", learner + 1, dump, at


def _profiles(plan: Plan, changes: int) -> Iterator[Row]:
    """Each learner's profile as first saved, and once more for each change."""
    empty = ("",) * 4
    for turn in range(changes + 1):
        at = _stamp(plan.start_ms + turn * 86_400_000)
        dump = _dump(plan, "profiles", turn)
        for learner in range(plan.learners):
            name = f"{_NAMES[learner % len(_NAMES)]} {_FAMILY[learner // len(_NAMES) % len(_FAMILY)]}"
            who = f"learner_{learner}"
            born = str(1960 + learner * 7 % 48)
            yield (
                *(learner + 1, learner + 1, name, who, f"{who}@campus.invalid", "{}", "", "en", "", born),
                *("mfo"[learner % 3], _LEVELS[learner % len(_LEVELS)], "", "", "", "", *empty[:1], f"version {turn}"),
                *("", "", dump, at),
            )


def _enrollments(plan: Plan) -> Iterator[Row]:
    """Who is in which course run: once on joining, once more on leaving it formally."""
    number = 0
    for chunk in chunks_of(plan):
        _, key, _ = _run(plan, chunk.section)
        enrolments = enrolments_of(plan, chunk)
        dump = _dump(plan, "enrolments", chunk.index)
        for place, learner in enumerate(enrolments.learner.tolist()):
            number += 1
            created = _stamp(int(enrolments.start_ms[place]))
            who = (openedx.MODES[int(enrolments.mode[place])], f"learner_{learner}", learner + 1, dump)
            yield number, key, created, True, *who, created
            if enrolments.unregisters[place]:
                yield number, key, created, False, *who, _stamp(int(enrolments.end_ms[place]))
