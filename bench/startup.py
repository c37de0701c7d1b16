"""`schoolhouse --help`: how long a person waits for it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def main(turns: int = 15) -> None:
    times = []
    for _ in range(turns):
        started = time.perf_counter()
        command = [sys.executable, "-c", "from schoolhouse.cli import main; main()", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    print(f"schoolhouse --help: {statistics.median(times):.3f} s, at most {max(times):.3f} s (promised: under 0.3 s)")
