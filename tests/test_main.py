"""The entry point: a door to the command line that costs a worker process nothing."""

from __future__ import annotations

import subprocess
import sys


def test_the_package_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "schoolhouse", "--version"], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("schoolhouse ")


def test_importing_the_entry_point_imports_no_command() -> None:
    probe = "import sys, schoolhouse.__main__; print('schoolhouse.cli' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
