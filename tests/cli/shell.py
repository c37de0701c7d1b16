"""`schoolhouse` as a person types it, without the second that a process of its own takes to start."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.cli.console import guarded


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


class Shell:
    """Runs `schoolhouse` in a directory and with an environment, in this process."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, *arguments: str, exit_code: int = 0, stdin: str = "") -> Done:
        with (
            pytest.MonkeyPatch.context() as patch,
            _same_logging(),
            CliRunner().isolation(input=stdin, env=self.environment) as streams,
        ):
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["schoolhouse", *arguments])
            code = guarded(app)
            sys.stdout.flush()
            sys.stderr.flush()
            done = Done(streams[0].getvalue().decode(), streams[1].getvalue().decode())
        assert code == exit_code, done.stdout + done.stderr
        return done

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self.run(*arguments, "--json", **options).stdout)


@contextmanager
def _same_logging() -> Iterator[None]:
    """The command's logs go to its standard error, which ends with it."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
