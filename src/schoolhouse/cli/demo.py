"""`demo`: from nothing to a page with real-looking learning events, in one command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from schoolhouse.collect.ingest import IngestReport
    from schoolhouse.settings import Settings

# Small enough for a laptop's first minute, large enough that charts have a shape.
_CAMPUSES: Final[tuple[dict[str, Any], ...]] = (
    {"dialect": "torus", "sections": 5, "learners": 220, "days": 70, "statements": 60_000, "seed": 2026},
    {"dialect": "openedx", "sections": 3, "learners": 150, "days": 70, "statements": 30_000, "seed": 2026},
)


# The term began so long ago that its last events are some days old.
_TERM_AGO: Final = timedelta(days=80)


def demo(
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop after the table; do not serve pages.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON (with --no-serve).")] = False,
) -> None:
    """Make a small campus, load it through the real way in, and show it.

    Creates the warehouse under SCHOOLHOUSE_DATA_DIR if there is none. Running it again changes no count: every
    statement is a duplicate then.
    """
    settings = console.settings()
    files = _make_campuses(settings)
    report, events = _load(settings, files)
    if as_json:
        console.print_json({**report.as_dict(), "events": events})
    else:
        _print(report, events)
    if not no_serve:
        from schoolhouse.cli.serve import serve

        serve(host=None, port=None)


def _make_campuses(settings: Settings) -> list[str]:
    from schoolhouse.simulate import Imperfections, campus_plan, write_statements

    paths: list[str] = []
    with console.progress() as progress:
        for campus in _CAMPUSES:
            task = progress.add_task(f"making a {campus['dialect']} campus", total=None, note="")
            out: Path = settings.data_dir / "demo" / str(campus["dialect"]) / "statements"
            if not (out.parent / "truth.json").exists():  # made once: a later run must bring the same statements
                flaws = Imperfections(duplicates=0.01, malformed=0.001)
                start = datetime.now(UTC).date() - _TERM_AGO
                write_statements(campus_plan(**campus, start=start, flaws=flaws), str(out), "jsonl.gz")
            progress.remove_task(task)
            paths.append(str(out))
    return paths


def _load(settings: Settings, paths: list[str]) -> tuple[IngestReport, list[dict[str, Any]]]:
    from schoolhouse.collect.files import find_files
    from schoolhouse.collect.ingest import ingest_files
    from schoolhouse.warehouse import health, migrations
    from schoolhouse.warehouse.connection import open_warehouse

    with open_warehouse(settings, who="demo", must_exist=False) as warehouse:
        migrations.up(warehouse)
        with console.progress() as progress:
            progress.add_task("loading", total=None, note="")
            report = ingest_files(warehouse, find_files(paths))
        _, events = health.ask_question(warehouse, "section_summary")
    return report, events


def _print(report: IngestReport, events: list[dict[str, Any]]) -> None:
    from schoolhouse.cli.ingest import print_report

    print_report(report)
    console.print_table(
        "Sections",
        ["section", "events", "learners", "mean score", "newest event (UTC)"],
        [
            [
                str(row["section_id"]),
                row["events"],
                row["learners"],
                row["mean_score"],
                str(row["newest_event"])[:16],
            ]
            for row in events
        ],
    )
