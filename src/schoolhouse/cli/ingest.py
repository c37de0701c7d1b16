"""`ingest` and `validate`: files of statements into the warehouse, or only judged."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from schoolhouse.collect.files import StatementFile
    from schoolhouse.collect.ingest import IngestReport
    from schoolhouse.collect.validate import FileVerdict

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH…",
        help="Files, directories, patterns, or - for standard input. "
        "Taken: .jsonl, .ndjson, .json (an object or an array), each also as .gz or .zst.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 if any line is rejected.")]


def ingest(paths: Paths, as_json: AsJson = False, strict: Strict = False) -> None:
    """Load statements into the warehouse, each once however often it comes.

    Prints how the lines ended: lines = blank + accepted + rejected, accepted = new + duplicate + conflict.
    A bad line is kept aside with its reason and harms no other; a file that cannot be read to its end does not stop
    the rest, and makes the exit code 1.

    Example: schoolhouse ingest statements.jsonl.gz archive/ 'exports/2026-*.json'
    """
    from schoolhouse.collect.files import find_files
    from schoolhouse.collect.ingest import ingest_files
    from schoolhouse.warehouse.connection import open_warehouse
    from schoolhouse.warehouse.migrations import require_current

    files = find_files(paths)
    with open_warehouse(console.settings(), who="ingest") as warehouse:
        require_current(warehouse)
        with _bar("loading", files) as on_progress:
            report = ingest_files(warehouse, files, on_progress=on_progress)
    if as_json:
        console.print_json(report.as_dict())
    else:
        print_report(report)
    for message in report.unreadable:
        console.print_problem(message)
    if report.unreadable or (strict and report.summary.rejected):
        raise typer.Exit(1)


def validate(paths: Paths, as_json: AsJson = False, strict: Strict = False) -> None:
    """Judge statements by the warehouse's own rules, without loading them.

    Needs no warehouse. Shows exact counts, and for each file at most 20 rejected lines with their beginning.

    Example: schoolhouse validate --json statements.jsonl
    """
    from schoolhouse.collect.files import find_files
    from schoolhouse.collect.validate import validate_files

    files = find_files(paths)
    with _bar("judging", files) as on_progress:
        verdicts = list(validate_files(console.settings(), files, on_progress=on_progress))
    if as_json:
        console.print_json([verdict.as_dict() for verdict in verdicts])
    else:
        _print_verdicts(verdicts)
    if any(verdict.unreadable for verdict in verdicts) or (strict and not all(v.is_valid for v in verdicts)):
        raise typer.Exit(1)


@contextmanager
def _bar(verb: str, files: Sequence[StatementFile]) -> Iterator[Callable[[str, int], None] | None]:
    with console.progress() as progress:
        if progress.disable:
            yield None
            return
        total = sum(file.size_bytes for file in files)
        task = progress.add_task(verb, total=total or None, note="")
        done = 0

        def on_progress(name: str, size_bytes: int) -> None:
            nonlocal done
            done += size_bytes
            progress.update(task, advance=size_bytes, note=f"{console.size(done)} · {name[-40:]}")

        yield on_progress


def print_report(report: IngestReport) -> None:
    """The accounts of an ingest, as a table."""
    summary = report.summary
    console.print_facts(
        f"Loaded {report.files} file{'s' if report.files != 1 else ''}",
        {
            "lines": summary.lines,
            "blank": summary.blank,
            "accepted": summary.accepted,
            "  new": summary.new,
            "  duplicate": summary.duplicate,
            "  conflict": summary.conflict,
            "rejected": sum(summary.rejected.values()),
            **{f"  {code}": lines for code, lines in sorted(summary.rejected.items())},
            "size": console.size(summary.bytes),
            "seconds": summary.seconds,
            "statements per second": round(summary.statements_per_second),
        },
    )


def _print_verdicts(verdicts: Sequence[FileVerdict]) -> None:
    console.print_table(
        "Verdicts",
        ["file", "lines", "blank", "accepted", "rejected", "reasons"],
        [
            [
                verdict.file,
                verdict.lines,
                verdict.blank,
                verdict.accepted,
                sum(verdict.rejected.values()),
                verdict.unreadable or ", ".join(f"{code} {lines:,}" for code, lines in verdict.rejected.items()) or "—",
            ]
            for verdict in verdicts
        ],
    )
    for verdict in verdicts:
        if verdict.examples:
            console.print_table(
                f"Rejected in {verdict.file} (first {len(verdict.examples)})",
                ["line", "reason", "begins with"],
                [[example.line, example.code, example.preview] for example in verdict.examples],
            )
