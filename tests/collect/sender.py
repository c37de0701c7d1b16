"""A process that sends statements through a pipeline until it is killed, and notes each one that was accepted.

python -m tests.collect.sender SETTINGS.json ACCEPTED.txt
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from schoolhouse.collect.pipeline import Pipeline
from schoolhouse.settings import load_settings

from .parts import bundle
from .statements import new_statement


def main() -> None:
    settings = load_settings(**json.loads(Path(sys.argv[1]).read_text()))
    accepted = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Pipeline(settings, lease_seconds=1.0) as pipeline:
        print("ready", flush=True)
        for turn in range(1_000_000):
            statements = [new_statement() for _ in range(5)]
            pipeline.send(bundle(*(json.dumps(one).encode() for one in statements), section=str(turn % 4)))
            os.write(accepted, "".join(one["id"] + "\n" for one in statements).encode())


if __name__ == "__main__":
    main()
