"""`--help` answers for every command, teaches, and loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from schoolhouse import __version__
from schoolhouse.cli import app
from tests.conftest import ROOT

HEAVY = (
    *("chdb", "clickhouse_connect", "fastapi", "boto3", "numpy", "pandas", "pyarrow", "polars", "vl_convert"),
    *("pydantic", "asyncio", "sqlalchemy"),
)


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The command and all below it, each with the words that call it."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


COMMANDS = list(_commands(typer.main.get_command(app)))


def test_a_group_says_what_each_command_does_to_its_end() -> None:
    answer = CliRunner().invoke(app, ["etl", "--help"], terminal_width=60)
    said = " ".join(answer.output.split())
    assert "Load what the queue XAPI_QUEUE_URL announces, until stopped by Ctrl-C or SIGTERM." in said
    assert "..." not in answer.output.partition("Commands:")[2]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "schoolhouse" for path, _ in COMMANDS])
def test_help_renders_and_teaches(path: tuple[str, ...], command: Any) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output
    assert len((command.help or "").split()) >= 3, "say what the command does"
    for parameter in command.params:
        described = getattr(parameter, "help", None)
        assert described, f"{' '.join(path)}: {parameter.name} has no help"


def test_the_whole_tree_is_walked() -> None:
    outer, inner = typer.Typer(), typer.Typer()
    inner.command("leaf")(lambda: None)
    inner.command("other")(lambda: None)
    outer.add_typer(inner, name="branch")
    paths = [" ".join(path) for path, _ in _commands(typer.main.get_command(outer))]
    assert paths == ["", "branch", "branch leaf", "branch other"]


def test_no_arguments_show_the_help() -> None:
    result = CliRunner().invoke(app, [])
    assert "Usage: " in result.output


def test_the_version_is_shown() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"schoolhouse {__version__}\n"


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from schoolhouse.cli import main
sys.argv = ["schoolhouse", "--help"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 0, stop.code
print("loaded:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.splitlines()[-1] == "loaded: []", done.stderr
