"""Real statements: three public sample files load with none lost, and again in any shape with none counted twice.

SCHOOLHOUSE_SAMPLE_DATA names the folder that holds them: fun-mooc-video.jsonl.gz (FUN MOOC),
xapi-db-load-sample.jsonl.gz (xapi-db-load) and openedx-event-routing-backends.jsonl (the examples in its tests).
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import re
from pathlib import Path
from typing import Final

import pytest

from schoolhouse.warehouse.connection import Warehouse
from tests.conftest import ROOT
from tests.warehouse.loading import Loaded, load_block, load_file, rows

FOLDER: Final = Path(os.environ.get("SCHOOLHOUSE_SAMPLE_DATA", "/nowhere"))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="SCHOOLHOUSE_SAMPLE_DATA names no folder of samples")

# Lines, events, and events of type `other`.
SAMPLES: Final = {
    "fun-mooc-video.jsonl.gz": (22_000, 22_000, 0),
    "xapi-db-load-sample.jsonl.gz": (10_050, 10_050, 0),
    "openedx-event-routing-backends.jsonl": (90, 65, 2),
}
TITLES: Final = {"FUN MOOC": 0, "xapi-db-load": 1, "event-routing-backends": 2}


def lines_of(name: str) -> list[bytes]:
    opened = gzip.open if name.endswith(".gz") else open
    with opened(FOLDER / name, "rb") as file:
        return [line.rstrip(b"\n") for line in file]


@pytest.fixture(scope="module")
def loaded(shared_tables: Warehouse) -> dict[str, Loaded]:
    return {
        name: load_file(shared_tables, FOLDER / name)
        if shared_tables.is_embedded
        else load_block(shared_tables, b"\n".join(lines_of(name)), source=name)
        for name in SAMPLES
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_every_line_is_an_event_or_repeats_one(loaded: dict[str, Loaded], name: str) -> None:
    lines, events, _ = SAMPLES[name]
    summary = loaded[name].summary
    assert (summary.lines, summary.accepted, summary.new) == (lines, lines, events)
    assert summary.duplicate + summary.conflict == lines - events
    assert (summary.blank, summary.rejected) == (0, {})


@pytest.mark.parametrize("name", SAMPLES)
def test_the_share_of_other_is_as_documented(loaded: dict[str, Loaded], name: str) -> None:
    _, events, other = SAMPLES[name]
    sql = "SELECT count(), countIf(event_type = 'other') FROM raw_events FINAL WHERE load_id = {load:UInt64}"
    found = rows(loaded[name].warehouse, sql, load=int(loaded[name].summary.load_id))
    assert found == [(events, other)]
    text = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| (\S[^|(]*?) (?:\([^|]*\) )?\| ([\d,]+) \| (\d+) \|", text, re.MULTILINE)
    by_title = {title: (int(count.replace(",", "")), int(share)) for title, count, share in documented}
    title = next(title for title, place in TITLES.items() if list(SAMPLES)[place] == name)
    assert by_title[title] == (events, other)


def test_every_event_has_its_learner_and_its_section(loaded: dict[str, Loaded], shared_tables: Warehouse) -> None:
    assert loaded
    sql = "SELECT countIf(user_id = ''), countIf(section_id = 0), countIf(timestamp < '2015-01-01')"
    # one of Open edX's examples names no course at all: its object has no id
    assert rows(shared_tables, f"{sql} FROM raw_events FINAL") == [(0, 1, 0)]


def test_every_video_event_of_fun_mooc_has_its_video(loaded: dict[str, Loaded], shared_tables: Warehouse) -> None:
    load = int(loaded["fun-mooc-video.jsonl.gz"].summary.load_id)
    sql = """
        SELECT count(), countIf(video_url LIKE 'uuid://%'), countIf(session_id != ''),
            countIf(verb_id LIKE '%/seeked' AND (video_seek_from IS NULL OR video_seek_to IS NULL)),
            countIf(verb_id LIKE '%/played' AND video_time IS NULL)
        FROM raw_events FINAL WHERE event_type = 'video' AND load_id = {load:UInt64}
    """
    assert rows(shared_tables, sql, load=load) == [(22_000, 22_000, 22_000, 0, 0)]


def rekeyed(line: bytes) -> bytes:
    return json.dumps(dict(reversed(json.loads(line).items())), ensure_ascii=False, separators=(", ", " : ")).encode()


SHAPES: Final = ("the same", "shuffled, in other files, with CRLF and outer blanks", "with keys in another order")


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_samples_again_change_no_count(loaded: dict[str, Loaded], shared_tables: Warehouse, shape: str) -> None:
    everything = [line for name in SAMPLES for line in lines_of(name)]
    # what each id was first; the order of two contents of one id may change which of them stands, and no count
    if shape == SHAPES[1]:
        everything = [b"  " + line + b"\t\r" for line in random.Random(3).sample(everything, len(everything))]
    if shape == SHAPES[2]:
        everything = [rekeyed(line) for line in everything]
    before = counts(shared_tables)
    cuts = [0, 7_001, 7_002, 25_000, len(everything)] if shape == SHAPES[1] else [0, len(everything)]
    new = 0
    for start, end in itertools.pairwise(cuts):
        again = load_block(shared_tables, b"\n".join(everything[start:end]), source=f"{shape} {start}")
        assert again.summary.accepted == again.summary.lines == end - start
        new += again.summary.new
        if shape != SHAPES[2]:
            assert again.counts == (0, end - start, 0)
    assert new == 0
    assert counts(shared_tables) == before
    assert loaded


def counts(warehouse: Warehouse) -> list[tuple[object, ...]]:
    sql = """
        SELECT section_id, event_type, count(), uniqExact(user_id), sum(cityHash64(event_id, timestamp, user_id))
        FROM raw_events FINAL GROUP BY ALL ORDER BY ALL
    """
    return list(rows(warehouse, sql))
