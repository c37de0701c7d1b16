"""Runs the measurements named on the command line, or all of them, each with its defaults."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = (
    "startup",
    "ingest",
    "questions",
    "charts",
    "dashboard",
    "pages",
    "simulate",
    "etl",
    "backfill",
    "xapi_post",
    "lake",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)} (default: all)")
    names = parser.parse_args().names or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"there is no measurement {unknown[0]}; there are {', '.join(NAMES)}")
    sys.argv[1:] = []  # each takes options of its own, as `python -m bench.NAME`
    for name in names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
