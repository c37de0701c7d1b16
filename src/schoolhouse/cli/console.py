"""How commands speak: tables, JSON, progress bars, and errors without tracebacks.

Answers go to standard output, everything else (progress, logs, errors) to standard error, so that `--json` pipes clean.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperGroup

from schoolhouse.errors import SchoolhouseError

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

    from schoolhouse.settings import Settings

_SENTENCE: Final = 1000  # longer than any: Typer would cut what a command does to the width of the terminal

_state: dict[str, bool] = {"verbose": False, "quiet": False}


class Commands(TyperGroup):
    """A group whose `--help` says of each command what it does, over as many lines as it takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, each with its first sentence."""
        listed = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(_SENTENCE)) for name, one in listed if not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def configure(*, verbose: bool, quiet: bool) -> None:
    """Remember the options that every command shares."""
    _state.update(verbose=verbose, quiet=quiet)


def settings(**overrides: Any) -> Settings:
    """The settings, with logging configured from them and from --verbose and --quiet."""
    from schoolhouse.observe import configure_logging
    from schoolhouse.settings import load_settings

    loaded = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    level = "DEBUG" if _state["verbose"] else "ERROR" if _state["quiet"] else loaded.log_level
    configure_logging(level, loaded.log_format)
    return loaded


@contextmanager
def database() -> Iterator[Engine]:
    """The app's own database, for the time of the block."""
    from schoolhouse.database import open_database

    engine = open_database(settings())
    try:
        yield engine
    finally:
        engine.dispose()


def guarded(app: Callable[..., Any]) -> int:
    """Run the app; turn every error of ours into one or two lines on standard error and an exit code."""
    try:
        result = _run(app)
    except SchoolhouseError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:  # a file or directory that a setting or an argument names, or a disk that is full
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"error: {place}{error.strerror or error}.", file=sys.stderr)
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return int(result or 0)


def _run(app: Callable[..., Any]) -> Any:
    """What the app returns, when all that it printed has been taken."""
    try:
        return app(standalone_mode=True)
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
            raise


def print_error(error: SchoolhouseError) -> None:
    """`error: what happened` and, if there is one, `hint: what to do`."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)


def print_problem(message: str) -> None:
    """Something that went wrong and did not stop the command, on standard error."""
    print(f"warning: {message}", file=sys.stderr)


def print_json(value: Any) -> None:
    """The value as JSON on standard output; times as ISO 8601."""
    print(json.dumps(value, default=str, ensure_ascii=False, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, separators: bool = True) -> None:
    """A table on standard output; numbers to the right, with thousands separators unless they may be ids."""
    from rich.console import Console
    from rich.table import Table

    rows = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        is_number = all(isinstance(row[index], int | float) for row in rows) and bool(rows)
        # what a row is about stays in one piece, however many columns follow
        is_name = index == 0 and all(len(cell(row[0])) <= 30 for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold", no_wrap=is_name)
    for row in rows:
        table.add_row(*(str(value) if type(value) is int and not separators else cell(value) for value in row))
    Console().print(table)


def print_turned(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table whose rows stand side by side, under the first value of each: for few rows of many values."""
    rows = list(rows)
    heads = [columns[0], *(cell(row[0]) for row in rows)]
    lines = [[name, *(cell(row[place]) for row in rows)] for place, name in enumerate(columns[1:], 1)]
    print_table(title, heads, lines)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """A two-column table of names and values."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, cell(value))
    Console().print(table)


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)


def size(size_bytes: float) -> str:
    """Bytes as people read them: `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def progress() -> Progress:
    """A progress display on standard error: bar, rate and time left; nothing when it is not a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    to_stderr = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=to_stderr,
        transient=True,
        disable=_state["quiet"] or not to_stderr.is_terminal,
    )
