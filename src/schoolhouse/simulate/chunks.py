"""A chunk of the run as finished lines, and the truth about them.

    story -> statements of each kind -> cut to size -> order of time -> flaws -> rows of pieces -> lines

Nothing here depends on which process makes the chunk, so any number of workers makes the same bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schoolhouse.errors import UsageError
from schoolhouse.simulate import openedx, torus
from schoolhouse.simulate.batch import Batch
from schoolhouse.simulate.behaviour import Story, enrolments_of, story_of
from schoolhouse.simulate.campus import Chunk, Ints, Plan, chunks_of, stream
from schoolhouse.simulate.flaws import REASONS, Flawed, broken, flaw_rows
from schoolhouse.simulate.openedx_batches import to_known_threads
from schoolhouse.simulate.pieces import Bytes, Lexicon, Template, moments, uuids
from schoolhouse.simulate.truth import Tally, count_chunk

DIALECTS: Final[dict[str, ModuleType]] = {"torus": torus, "openedx": openedx}
Layout = Literal["jsonl", "csv", "plain"]
_MARGIN: Final = 1.05  # visits made above the estimate, so that one round usually does
_TRIAL_STATEMENTS_PER_VISIT: Final = 8
_TRIAL_LEARNERS: Final = 12
_MAX_ROUNDS: Final = 12
_LEAST_VISIT_SECONDS: Final = 20  # a mean visit takes some minutes


@dataclass(frozen=True)
class Lines:
    """The lines of a chunk in the order of the file, each with its row id and its time (µs since 1970).

    They stay rows of pieces until someone asks for their text.
    """

    lexicon: Lexicon
    numbers: NDArray[np.int32]
    row_ids: Bytes  # empty for `jsonl`, which has no columns
    at_micros: Ints
    tally: Tally
    event_types: tuple[str, ...]
    event_type: NDArray[np.int16]  # which of them each line tells of, or told before it was broken

    def blocks(self) -> Iterator[pa.Buffer]:
        """The text of all lines, about a megabyte at a time."""
        for block in self.lexicon.blocks(self.numbers):
            yield block.buffers()[2]

    @property
    def lines(self) -> pa.BinaryArray:
        """Every line."""
        return self.lexicon.joined(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def happenings(plan: Plan, chunk: Chunk) -> tuple[Story, list[Batch]]:
    """What happens in a chunk, statement by statement, before it becomes lines: for truths about any chart."""
    return _of_size(plan, chunk, stream(plan, "chunk", chunk.index))


def tally_chunk(plan: Plan, chunk: Chunk) -> Tally:
    """The truth about a chunk, without its lines."""
    random = stream(plan, "chunk", chunk.index)
    story, batches = _of_size(plan, chunk, random)
    return count_chunk(plan, story, batches, flaw_rows(plan.flaws, sum(map(len, batches)), random))


def make_chunk(plan: Plan, chunk: Chunk, layout: Layout = "jsonl") -> Lines:
    """Make one chunk.

    A line is a statement (`plain`), a statement and a line feed (`jsonl`), or id, time and statement (`csv`).
    """
    random = stream(plan, "chunk", chunk.index)
    story, batches = _of_size(plan, chunk, random)
    flawed = flaw_rows(plan.flaws, sum(map(len, batches)), random)
    tally = count_chunk(plan, story, batches, flawed)
    lexicon = Lexicon(quoted=layout == "csv")
    statements = _Statements(plan, story, batches, random)
    numbers = statements.numbers(lexicon, layout)[flawed.source]
    _break_lines(numbers, flawed, lexicon, statements.margins(layout))
    return Lines(
        lexicon=lexicon,
        numbers=numbers,
        row_ids=np.zeros((0, 36), np.uint8) if layout == "jsonl" else statements.ids[flawed.source],
        at_micros=statements.at_micros[flawed.source],
        tally=tally,
        event_types=tuple(batch.event_type for batch in batches),
        event_type=statements.batch_numbers[flawed.source],
    )


# --- to the size asked for --------------------------------------------------------------------------------------------


def _of_size(plan: Plan, chunk: Chunk, random: np.random.Generator) -> tuple[Story, list[Batch]]:
    """A story that makes exactly as many statements as the chunk is to have."""
    visits = int(chunk.statements / _statements_per_visit(plan, chunk.section.course_number) * _MARGIN) + 5
    before = 0
    enrolments = enrolments_of(plan, chunk)
    room = (enrolments.end_ms - enrolments.start_ms).sum() / 1000 / _LEAST_VISIT_SECONDS
    for _ in range(_MAX_ROUNDS):
        if visits > room:
            break
        story, batches = _told(plan, chunk, visits, random)
        count = sum(len(batch) for batch in batches)
        if count >= chunk.statements:
            return story, to_known_threads(_cut(story, batches, count - chunk.statements, random))
        growth = min(2.0, chunk.statements / max(count, 1)) * 1.05
        if growth > 1.3 and count < before * 1.05:  # many more visits, and no more of them end before the term does
            break
        before = count
        visits = int(visits * growth) + 10
    raise UsageError(
        f"{chunk.last - chunk.first} learners cannot make {chunk.statements:,} statements in {plan.length_days} days.",
        hint="Ask for fewer statements, or for more learners, sections or days.",
    )


def _told(plan: Plan, chunk: Chunk, visits: int, random: np.random.Generator) -> tuple[Story, list[Batch]]:
    story = story_of(plan, chunk, visits, random)
    made = DIALECTS[plan.dialect].batches(plan, story, random)
    # A visit that would not end before the learner leaves, or the term ends, does not take place.
    kept = np.ones(len(story.visits.page) + 1, dtype=bool)
    for batch in made:
        kept[batch.visit[batch.at_ms >= story.enrolments.end_ms[batch.enrolment]]] = False
    kept[-1] = True  # stands for visit -1: joining and leaving
    return story, [batch.only(kept[batch.visit]) for batch in made]


@lru_cache(maxsize=64)
def _statements_per_visit(plan: Plan, course_number: int) -> float:
    """A trial with some learners of the course's first chunk, who do as much as there: later visits make fewer."""
    chunks = chunks_of(plan)
    first = chunks[bisect_left(chunks, course_number, key=lambda chunk: chunk.section.course_number)]
    some = min(first.last - first.first, max(_TRIAL_LEARNERS, (first.last - first.first) // 4))
    chunk = replace(first, last=first.first + some, statements=first.statements * some // (first.last - first.first))
    visits = chunk.statements // _TRIAL_STATEMENTS_PER_VISIT + 20
    _, batches = _told(plan, chunk, visits, stream(plan, "trial", course_number))
    return max(1.0, sum(int((batch.visit >= 0).sum()) for batch in batches) / visits)


def _cut(story: Story, batches: list[Batch], excess: int, random: np.random.Generator) -> list[Batch]:
    """Take back the last visits of learners, in random order, until `excess` statements are gone."""
    left = story.visits.left
    size = np.zeros(len(left) + 1, dtype=np.int64)
    for batch in batches:
        size += np.bincount(batch.visit + 1, minlength=len(size))
    order = np.argsort(left + random.random(len(left)))
    gone_after = np.cumsum(size[1:][order])
    whole = int(np.searchsorted(gone_after, excess, side="right"))
    excess -= int(gone_after[whole - 1]) if whole else 0
    kept = np.ones(len(left) + 1, dtype=bool)  # the last entry stands for visit -1
    kept[order[:whole]] = False
    batches = [batch.only(kept[batch.visit]) for batch in batches]
    if not excess:
        return batches
    # The rest comes from the end of one visit more, or, when no visit is left, from the end of the chunk.
    last = order[whole] if whole < len(order) else None
    at = np.concatenate([batch.at_ms for batch in batches])
    visit = np.concatenate([batch.visit for batch in batches])
    candidates = np.flatnonzero(visit == last) if last is not None else np.arange(len(at))
    victims = candidates[np.argsort(at[candidates], kind="stable")[len(candidates) - excess :]]
    stays = np.ones(len(at), dtype=bool)
    stays[victims] = False
    ends = np.cumsum([len(batch) for batch in batches])
    return [batch.only(stays[end - len(batch) : end]) for batch, end in zip(batches, ends.tolist(), strict=True)]


# --- to lines ---------------------------------------------------------------------------------------------------------


class _Statements:
    """The good statements of a chunk in order of time, ready to become rows of pieces."""

    def __init__(self, plan: Plan, story: Story, batches: list[Batch], random: np.random.Generator) -> None:
        self._plan, self._story, self._batches = plan, story, batches
        at = np.concatenate([batch.at_ms for batch in batches])
        order = np.argsort(at, kind="stable")
        self._rank = np.empty(len(at), dtype=np.int64)
        self._rank[order] = np.arange(len(at))
        who = np.concatenate([batch.enrolment for batch in batches])
        self._at_ms = (at + story.enrolments.clock_ms[who])[order]
        # Torus stops at milliseconds.
        self._micros = random.integers(0, 1000, len(at)) if plan.dialect == "openedx" else np.zeros(len(at), np.int64)
        self._tables = DIALECTS[plan.dialect].tables(plan, story, random)

    @cached_property
    def ids(self) -> Bytes:
        """An id for each statement: its own in Open edX, only the row's in Torus, which often needs none."""
        return uuids(stream(self._plan, "ids", self._story.chunk.index), len(self._rank))

    @property
    def batch_numbers(self) -> NDArray[np.int16]:
        """Which batch each statement comes from."""
        numbers = np.empty(len(self._rank), dtype=np.int16)
        sizes = [len(batch) for batch in self._batches]
        numbers[self._rank] = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
        return numbers

    @property
    def at_micros(self) -> Ints:
        """The time of each statement."""
        return np.asarray(self._at_ms * 1000 + self._micros)

    def margins(self, layout: Layout) -> tuple[int, int]:
        """How many pieces stand before and after the statement in a line."""
        return {"jsonl": (0, 1), "csv": (4, 1), "plain": (0, 0)}[layout]

    def numbers(self, lexicon: Lexicon, layout: Layout) -> NDArray[np.int32]:
        """One row of piece numbers for each statement, in order of time."""
        dialect = DIALECTS[self._plan.dialect]
        wanted = dialect.templates(self._plan, self._story)
        templates = {kind: Template(lexicon, wanted[kind]) for kind in dict.fromkeys(b.kind for b in self._batches)}
        lead, tail = self.margins(layout)
        width = lead + max(len(template.parts) for template in templates.values()) + tail
        numbers = np.full((len(self._rank), width), lexicon.empty, dtype=np.int32)
        first = self._first_pieces(lexicon, layout)
        every = np.arange(len(self._rank))
        if layout == "csv":
            emitted = moments(self._at_ms, separator=" ", micros=self._micros, suffix="")
            numbers[:, 0] = first["id"] + every
            numbers[:, 1] = lexicon.word(b",")
            numbers[:, 2] = lexicon.table(emitted) + every
            numbers[:, 3] = lexicon.word(b',"', as_is=True)
            numbers[:, -1] = lexicon.word(b'"\n', as_is=True)
        elif layout == "jsonl":
            numbers[:, -1] = lexicon.word(b"\n")
        start = 0
        for batch in self._batches:
            rows = self._rank[start : start + len(batch)]
            start += len(batch)
            own = {"actor": batch.enrolment, "enrollment": batch.enrolment, "id": rows, "timestamp": rows} | batch.holes
            block = np.empty((len(rows), len(templates[batch.kind].parts)), dtype=np.int32)
            for column, part in enumerate(templates[batch.kind].parts):
                block[:, column] = part if isinstance(part, int) else own[part] + first[part]
            numbers[rows, lead : lead + block.shape[1]] = block
        return numbers

    def _first_pieces(self, lexicon: Lexicon, layout: Layout) -> dict[str, int]:
        if self._plan.dialect == "openedx":
            times = moments(self._at_ms, micros=self._micros, suffix="+00:00")
        else:
            times = moments(self._at_ms)
        first = {"timestamp": lexicon.table(times)}
        if self._plan.dialect == "openedx" or layout == "csv":
            first["id"] = lexicon.table(self.ids)
        return first | {name: lexicon.table(pieces) for name, pieces in self._tables.items()}


def _break_lines(numbers: NDArray[np.int32], flawed: Flawed, lexicon: Lexicon, margins: tuple[int, int]) -> None:
    """Put broken statements in the place of whole ones, where the flaws say so."""
    rows = np.flatnonzero(flawed.reason)
    if not len(rows):
        return
    lead, tail = margins
    inner = slice(lead, numbers.shape[1] - tail)
    whole = lexicon.joined(np.ascontiguousarray(numbers[rows, inner])).to_pylist()
    for row, line in zip(rows.tolist(), whole, strict=True):
        numbers[row, inner] = lexicon.empty
        numbers[row, lead] = lexicon.word(broken(lexicon.plain(line), REASONS[flawed.reason[row]]))
