"""Tries the built package on this machine: its import, the modes of the documents' payloads, and its health.

    python deploy/lambda/try_package.py dist/xapi-etl-processor.zip

Needs an interpreter of the function's version with boto3 and nothing else. The health check runs where CLICKHOUSE_HOST
is set.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
import zipfile

KEY = "section/123/video/2024-01-01T12-00-00.000Z_bundle.jsonl"
PAYLOADS = {
    "event": [
        {"bucket": "your-s3-bucket", "key": KEY},
        {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "your-s3-bucket"}, "object": {"key": KEY}}}]},
    ],
    "bulk": [
        {"mode": "bulk", "section_id": "123", "start_date": "2024-01-01", "end_date": "2024-12-31"},
        {"section_id": "123", "start_date": "2024-01-01", "end_date": "2024-12-31", "force_reprocess": False},
    ],
    "health_check": [{"health_check": True}],
}


class Context:
    """What AWS gives a function beside the event, as far as ours asks for it."""

    def get_remaining_time_in_millis(self) -> int:
        """A whole invocation."""
        return 300_000


def main(path: str) -> None:
    """Unpack, import, ask."""
    with tempfile.TemporaryDirectory() as directory:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(directory)
        sys.path.insert(0, directory)
        started = time.perf_counter()
        entry = importlib.import_module("schoolhouse.etl.lambda_entry")
        print(f"import of the entry: {(time.perf_counter() - started) * 1000:.0f} ms")
        started = time.perf_counter()
        importlib.import_module("schoolhouse.etl.handler")
        importlib.import_module("clickhouse_connect")
        importlib.import_module("boto3")
        print(f"import of the rest, at the first event: {(time.perf_counter() - started) * 1000:.0f} ms")
        mode_of = importlib.import_module("schoolhouse.etl.payloads").mode_of
        for mode, payloads in PAYLOADS.items():
            for payload in payloads:
                if mode_of(payload) != mode:
                    sys.exit(f"This payload is not taken for {mode}: {json.dumps(payload)}")
        print("modes: as documented")
        if os.environ.get("CLICKHOUSE_HOST"):
            answer = entry.lambda_handler({"health_check": True}, Context())
            print(json.dumps(answer))
            if not answer["success"]:
                sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
