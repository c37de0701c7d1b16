"""Runs the measurements named on the command line, or all of them."""

from __future__ import annotations

import argparse
import importlib

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
    for name in parser.parse_args().names or NAMES:
        print(f"== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
