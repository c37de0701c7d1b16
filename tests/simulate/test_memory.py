"""What a process holds of a campus does not grow with it: only of what it is at."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from schoolhouse.errors import InputError
from schoolhouse.simulate.behaviour import enrolments_of
from schoolhouse.simulate.campus import Chunk, Plan, Section, chunks_of, learners_of, sections_of
from schoolhouse.simulate.chunks import tally_chunk
from schoolhouse.simulate.on_disk import ArrayOnDisk, ListOnDisk
from schoolhouse.simulate.truth import Tally, Truth
from tests.simulate.lines import FLAWS, small_plan


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(one, kind) for one in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["torus", "openedx"])
def test_the_truth_holds_only_the_section_that_is_under_way(dialect: str) -> None:
    plan = small_plan(dialect, statements=4_000, sections=8, flaws=FLAWS)
    before = alive(Tally)
    truth, statements, rejects = Truth(plan), [], 0
    for chunk in chunks_of(plan):
        tally = tally_chunk(plan, chunk)
        statements.append((chunk.section, tally.statements))
        rejects += sum(tally.rejects.values())
        truth.add(chunk, tally)
        del tally
        assert alive(Tally) == before + 1
    assert [(section, tally.statements) for section, tally in truth.sections()] == statements
    assert [section.index for section, _ in truth.sections()] == list(range(8))  # as often as one likes
    assert (truth.statements, sum(truth.rejects.values())) == (4_000, rejects)
    assert rejects


def test_chunks_of_one_section_add_up() -> None:
    plan = small_plan("torus", statements=1_000, sections=2)
    truth, first, second = Truth(plan), *chunks_of(plan)
    for chunk in (first, first, second, second):
        truth.add(chunk, tally_chunk(plan, chunk))
    counted = [tally.statements for _, tally in truth.sections()]
    assert counted == [2 * first.statements, 2 * second.statements]


def test_a_campus_keeps_neither_its_sections_nor_its_chunks() -> None:
    plan = Plan(dialect="openedx", sections=3_000, learners=6_000, statements=3_000_000, seed=77)
    before = alive(Section) + alive(Chunk)
    assert sum(chunk.statements for chunk in chunks_of(plan)) == 3_000_000
    assert len(sections_of(plan)) == 3_000
    assert alive(Section) + alive(Chunk) - before <= 2


def test_a_chunk_keeps_nothing_of_learners_who_are_elsewhere() -> None:
    plan = Plan(dialect="torus", sections=2_000, learners=100_000, statements=1_000_000, seed=78)
    chunk = chunks_of(plan)[0]
    tracemalloc.start()
    try:
        made = enrolments_of(plan, chunk)
        kept_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept_bytes < plan.learners  # one trait of all of them takes eight times as much
    everyone = learners_of(plan)
    assert np.array_equal(made.traits.ability, everyone.ability[made.learner])
    assert np.array_equal(made.traits.speed, everyone.speed[made.learner])


def test_an_array_on_disk_gives_what_is_asked_for() -> None:
    values = np.arange(100_000) * 3
    kept = ArrayOnDisk(values)
    some = np.array([99_999, 0, 50_000, 0])
    assert kept[some].tolist() == values[some].tolist()
    assert kept[99_990:200_000].tolist() == values[99_990:].tolist()
    assert np.array_equal(kept[:], values)


def test_a_list_on_disk_is_read_in_order_while_it_grows() -> None:
    kept: ListOnDisk[tuple[int, str]] = ListOnDisk()
    assert list(kept) == []
    kept.append((1, "a"))
    reading = iter(kept)
    assert next(reading) == (1, "a")
    kept.append((2, "b"))
    assert list(kept) == [(1, "a"), (2, "b")]
    assert list(reading) == [(2, "b")]


def test_no_room_for_temporary_files_is_an_error_that_names_their_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(InputError, match="gone, the directory for temporary files: No such file") as one:
        ArrayOnDisk(np.arange(3))
    assert "TMPDIR" in (one.value.hint or "")
    with pytest.raises(InputError, match="temporary files"):
        ListOnDisk()
