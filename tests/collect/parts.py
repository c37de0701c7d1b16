"""Parts that tests of the pipeline share: an uploader that notes what it gets and fails when told, and bundles."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from schoolhouse.collect.bundles import BundleGroup
from schoolhouse.collect.spool import Batch, Bundle
from schoolhouse.errors import UploadFailed
from schoolhouse.settings import Settings, load_settings


class Destination:
    """The far end of a pipeline, in memory: it keeps what arrives, and may be `away` or slow."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.is_away = False
        self.seconds = seconds
        self.arrived: list[Batch] = []
        self.tries = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def deliver(self, batch: Batch) -> None:
        with self._lock:
            self.tries += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
            if self.is_away:
                raise UploadFailed("The destination is away.")
            self.arrived.append(batch)

    def close(self) -> None:
        pass

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.arrived for line in batch.body.split(b"\n")]


def bundle(*lines: bytes, section: str = "1", category: str = "page_viewed") -> Bundle:
    return Bundle(BundleGroup("section", section, category), b"\n".join(lines))


def pipeline_settings(tmp_path: Path, **changes: object) -> Settings:
    quick = {"data_dir": tmp_path, "etl_mode": "file", "batch_timeout_ms": 50, "batcher_concurrency": 4}
    return load_settings(**{**quick, **changes})


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
