"""Who and what is on the campus: learners, courses with pages, videos and questions, sections, enrolments.

Everything follows from the plan and its seed. Each part draws from a stream of its own, named by what it is, so a
worker can build just the course and the learners that its chunk needs and gets what every other worker gets.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from schoolhouse.errors import UsageError
from schoolhouse.simulate.on_disk import ArrayOnDisk
from schoolhouse.simulate.rates import Imperfections, Rates

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Thing = TypeVar("Thing")

ALL = slice(None)
DAY_MS = 86_400_000
# The warehouse takes no earlier timestamp, and DateTime64 ends with 2299; wrong clocks stray beyond the term.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2298, 12, 31)
MOST = {"sections": 100_000, "learners": 20_000_000, "days": 36_500, "organizations": 10_000}
SECTIONS_PER_COURSE = 3
MOST_ITEMS = 30  # on a page
CHUNK_STATEMENTS = 25_000


@dataclass(frozen=True)
class CourseSize:
    """How big one course is, where a configuration says so; otherwise the rates decide."""

    learners: int
    pages: int
    items: int
    videos: int
    chapters: int
    sequences: int
    posts: int


@dataclass(frozen=True)
class Plan:
    """What is asked for. Equal plans make equal bytes."""

    dialect: str = "torus"
    sections: int = 4
    learners: int = 200
    days: int = 56
    statements: int = 0  # 0: as many as the rates make
    seed: int = 1
    start: date = date(2025, 9, 1)
    term_days: int = 0  # 0: the term lasts all days
    host: str = "https://campus.example"
    quirks: bool = False  # write Torus statements with the departures from xAPI that Torus makes
    organizations: int = 2
    sizes: tuple[CourseSize, ...] = ()  # one a section, or none
    rates: Rates = field(default_factory=Rates)
    flaws: Imperfections = field(default_factory=Imperfections)

    def __post_init__(self) -> None:
        if self.dialect not in {"torus", "openedx"}:
            raise UsageError(f"There is no dialect {self.dialect!r}.", hint="It is torus or openedx.")
        for name, most in MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be between 1 and {most:,}.")
        if self.statements < 0 or self.seed < 0:
            raise UsageError("Neither the number of statements nor the seed may be negative.")
        if not (self.start >= FIRST_DAY and self.start.toordinal() + self.days <= LAST_DAY.toordinal()):
            raise UsageError(
                f"{self.days} days from {self.start} are not wholly between {FIRST_DAY} and {LAST_DAY}.",
                hint="These are the days that the warehouse takes.",
            )
        if not is_address(self.host):
            raise UsageError(
                f"The address of the platform is {self.host!r}.", hint="It is one such as https://campus.example."
            )
        if self.term_days > self.days:
            raise UsageError(f"A term of {self.term_days} days does not fit into {self.days} days.")
        if self.sizes and len(self.sizes) != self.sections:
            raise UsageError(f"There are {len(self.sizes)} course sizes for {self.sections} sections.")

    @property
    def start_ms(self) -> int:
        """First moment of the run, in milliseconds since 1970."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp() * 1000)

    @property
    def length_days(self) -> int:
        """Days of one term."""
        return self.term_days or self.days


def is_address(text: str) -> bool:
    """Whether ids can begin with it: an http or https address with a host, and nothing that an IRI cannot hold."""
    return re.fullmatch(r"https?://[^\s/?#\\\"<>^`{|}]+(/[^\s?#\\\"<>^`{|}]*)?", text) is not None


def campus_plan(*, statements: int = 0, sections: int = 0, learners: int = 0, **more: Any) -> Plan:
    """A plan in which what is not given (0) fits what is: some 500 statements a learner, some 75 learners a section."""
    learners = learners or (max(10, statements // 500) if statements else 200)
    sections = sections or max(1, learners // 50)
    return Plan(sections=sections, learners=learners, statements=statements, **more)


@dataclass(frozen=True)
class Course:
    """The content that sections of one course share. Arrays hold one entry a page or an item."""

    number: int
    organization: int
    code: str
    title: str
    page_week: Ints
    page_is_graded: NDArray[np.bool_]
    page_video_seconds: Ints  # 0: no video
    page_first_item: Ints  # items of page p are [first[p], first[p + 1])
    item_page: Ints
    item_skill: Ints
    item_parts: Ints
    item_difficulty: Floats
    item_discrimination: Floats
    page_chapter: Ints
    page_sequence: Ints
    has_experiment: bool

    @property
    def pages(self) -> int:
        """Number of pages."""
        return len(self.page_week)

    @property
    def items(self) -> int:
        """Number of questions."""
        return len(self.item_page)

    @property
    def page_points(self) -> Ints:
        """What can be reached on each page."""
        return np.bincount(self.item_page, weights=self.item_parts, minlength=self.pages).astype(np.int64)

    @property
    def most_points(self) -> int:
        """The most that can be reached on one page; at least 100, for grades in per cent."""
        return max(100, int(self.page_points.max(initial=0)))


@dataclass(frozen=True)
class Section:
    """One group of learners taking one course in one term."""

    index: int
    number: int
    course_number: int
    run: str
    start_ms: int
    learners: int
    first_place: int  # how many enrolments the sections before it have


@dataclass(frozen=True)
class Learners:
    """Traits of learners, one entry each."""

    ability: Floats
    persistence: Floats
    diligence: Floats  # activity against the mean of 1
    hour_shift: Floats
    speed: Floats

    def only(self, which: slice) -> Learners:
        """Some of them."""
        return Learners(
            self.ability[which],
            self.persistence[which],
            self.diligence[which],
            self.hour_shift[which],
            self.speed[which],
        )


class MadeOnDemand(Generic[Thing]):
    """So many things, each made anew when it is asked for: a large run has thousands, and needs one at a time."""

    def __init__(self, count: int, make: Callable[[int], Thing]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Thing:
        return self._make(range(self._count)[index])

    def __iter__(self) -> Iterator[Thing]:
        return map(self._make, range(self._count))


def stream(plan: Plan, *names: int | str) -> np.random.Generator:
    """A random stream that depends on the seed and the names alone."""
    key = tuple(zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(plan.seed, spawn_key=key)))


def learners_of(plan: Plan, which: Ints | slice = ALL) -> Learners:
    """The traits of some learners, or of all."""
    return Learners(*(trait[which] for trait in _traits(plan)))


@lru_cache(maxsize=2)
def _traits(plan: Plan) -> tuple[ArrayOnDisk[np.float64], ...]:
    """The traits of all learners, in the order of `Learners`."""
    random = stream(plan, "learners")
    count = plan.learners
    ability = random.normal(0, plan.rates.ability_spread, count)
    persistence = random.normal(0, 1, count) + 0.3 * ability / max(plan.rates.ability_spread, 1e-9)
    return (
        ArrayOnDisk(ability),
        # Mean 0 and deviation 1 on this very campus, so that the asked share drops out, whatever the seed.
        ArrayOnDisk((persistence - persistence.mean()) / max(float(persistence.std()), 1e-9)),
        ArrayOnDisk(random.gamma(3.0, 1 / 3.0, count) + 0.05),
        ArrayOnDisk(random.normal(0, 1.0, count)),
        ArrayOnDisk(random.lognormal(0, 0.25, count)),
    )


@lru_cache(maxsize=2)
def sections_of(plan: Plan) -> MadeOnDemand[Section]:
    """Every section, in order of its index."""
    random = stream(plan, "sections")
    spread = plan.rates.section_size_spread
    weights = random.lognormal(0, spread, plan.sections)
    wanted = weights / weights.sum() * plan.learners * plan.rates.enrollments_per_learner
    sizes = np.clip(np.rint(wanted), 1, plan.learners).astype(int)
    if plan.sizes:
        sizes = np.array([size.learners for size in plan.sizes])
    first_places = np.cumsum(sizes) - sizes
    offsets = random.integers(0, plan.days - plan.length_days + 1, plan.sections)

    def section(index: int) -> Section:
        return Section(
            index=index,
            number=1001 + index,
            course_number=_course_number(plan, index),
            run=f"{plan.start.year}_T{index % SECTIONS_PER_COURSE + 1}",
            start_ms=plan.start_ms + int(offsets[index]) * DAY_MS,
            learners=int(sizes[index]),
            first_place=int(first_places[index]),
        )

    return MadeOnDemand(plan.sections, section)


def _course_number(plan: Plan, index: int) -> int:
    """Sections of one course stand together; a configured size makes a course of its own."""
    return index if plan.sizes else index // SECTIONS_PER_COURSE


@lru_cache(maxsize=8)
def enrolled(plan: Plan, section: Section) -> Ints:
    """The learners of a section, each once. Together the sections reach every learner, if there are places for all."""
    first, last = section.first_place, section.first_place + section.learners
    turns = range(first // plan.learners, (last - 1) // plan.learners + 1)
    places = [slice(max(first - turn * plan.learners, 0), last - turn * plan.learners) for turn in turns]
    chosen = np.unique(np.concatenate([_round(plan, turn)[some] for turn, some in zip(turns, places, strict=True)]))
    if len(chosen) < section.learners:
        others = np.setdiff1d(np.arange(plan.learners), chosen, assume_unique=True)
        more = stream(plan, "enrolment more", section.index).permutation(others)[: section.learners - len(chosen)]
        chosen = np.concatenate([chosen, more])
    return np.asarray(stream(plan, "enrolment order", section.index).permutation(chosen), dtype=np.int64)


@lru_cache(maxsize=8)
def traits_of(plan: Plan, section: Section) -> Learners:
    """The traits of the learners of a section, in the order of `enrolled`."""
    return learners_of(plan, enrolled(plan, section))


@lru_cache(maxsize=2)
def _round(plan: Plan, turn: int) -> ArrayOnDisk[np.int64]:
    """All learners once, in random order."""
    return ArrayOnDisk(stream(plan, "enrolment", turn).permutation(plan.learners))


TITLES = (
    "Introduction to Statistics",
    "General Chemistry",
    "Concepts of Biology",
    "Logic and Proofs",
    "Principles of Economics",
    "Introduction to Psychology",
    "Engineering Statics",
    "Anatomy and Physiology",
    "Media Programming",
    "World History",
)


@lru_cache(maxsize=8)
def course_of(plan: Plan, number: int) -> Course:
    """The content of a course."""
    random = stream(plan, "course", number)
    rates = plan.rates
    weeks = max(1, -(-plan.length_days // 7))
    size = plan.sizes[number] if plan.sizes else None
    pages = size.pages if size else max(2, round(weeks * rates.pages_per_week))
    counts = np.minimum(random.poisson(rates.items_per_page - 1, pages) + 1, MOST_ITEMS)
    has_video = random.random(pages) < rates.video_share
    if size:
        counts = _spread(size.items, pages, random)
        has_video = _spread(min(size.videos, pages), pages, random) > 0
    lengths = np.clip(random.lognormal(np.log(rates.video_median_seconds), 0.5, pages), 30, 1_200)
    items = int(counts.sum())
    page_week = np.arange(pages) * weeks // pages
    page_of_item = np.repeat(np.arange(pages), counts)
    return Course(
        number=number,
        organization=number % plan.organizations,
        code=f"C{101 + number}",
        title=TITLES[number % len(TITLES)] + (f" {number // len(TITLES) + 1}" if number >= len(TITLES) else ""),
        page_week=page_week,
        page_is_graded=evenly(rates.graded_share, np.arange(pages)) & (counts > 0),
        page_video_seconds=np.where(has_video, np.rint(lengths), 0).astype(np.int64),
        page_first_item=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        item_page=page_of_item,
        item_skill=page_of_item // 2,
        item_parts=random.choice([1, 2, 3], items, p=[0.75, 0.2, 0.05]),
        item_difficulty=random.normal(rates.difficulty_mean, rates.difficulty_spread, items),
        item_discrimination=random.lognormal(0, rates.discrimination_spread, items),
        page_chapter=np.arange(pages) * (size.chapters if size else weeks) // pages,
        page_sequence=np.arange(pages) * (size.sequences if size else weeks * 2) // pages,
        has_experiment=bool(random.random() < rates.experiment_share),
    )


def evenly(share: float, place: Ints) -> NDArray[np.bool_]:
    """Which places a share of them falls on, as evenly as whole numbers allow: of a fifth, every fifth place."""
    before = np.floor(place * share + 1e-9)  # a tenth of 30 is 3, and no less
    return np.asarray(np.floor((place + 1) * share + 1e-9) > before)


def _spread(total: int, places: int, random: np.random.Generator) -> Ints:
    """`total` things over `places`, as evenly as whole numbers allow, in random order."""
    counts = np.full(places, total // places, dtype=np.int64)
    counts[: total % places] += 1
    return np.asarray(random.permutation(counts))


@dataclass(frozen=True)
class Chunk:
    """A piece of work: some enrolments of one section, and how many good statements they make."""

    index: int
    section: Section
    first: int
    last: int
    statements: int


@lru_cache(maxsize=2)
def chunks_of(plan: Plan) -> MadeOnDemand[Chunk]:
    """The whole run as chunks of about 25,000 statements, whose sizes add up to the number asked for."""
    sections = sections_of(plan)
    sizes = np.array([section.learners for section in sections])
    enrolments = int(sizes.sum())
    total = plan.statements or round(enrolments * plan.length_days * plan.rates.statements_per_learner_day)
    share = total * sizes / enrolments
    counts = np.minimum(sizes, np.maximum(1, np.rint(share / CHUNK_STATEMENTS).astype(int)))
    section = np.repeat(np.arange(len(sizes)), counts)
    number = np.arange(len(section)) - (np.cumsum(counts) - counts)[section]  # of the chunk in its section
    first = sizes[section] * number // counts[section]
    last = sizes[section] * (number + 1) // counts[section]
    edges_at = np.rint(np.cumsum(np.concatenate([[0], last - first])) / enrolments * total).astype(int)
    statements = np.diff(edges_at)

    def chunk(index: int) -> Chunk:
        return Chunk(index, sections[section[index]], int(first[index]), int(last[index]), int(statements[index]))

    return MadeOnDemand(len(section), chunk)
