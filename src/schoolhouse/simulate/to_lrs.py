"""Statements to a learning record store by concurrent batched POSTs; tables straight to ClickHouse."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

from schoolhouse.errors import DeliveryError, SchoolhouseError
from schoolhouse.simulate.campus import Plan
from schoolhouse.simulate.course_tables import Table
from schoolhouse.simulate.delivery import Delivered, OnRows, RunState, StatementBatch, Target, batches_of, with_retries
from schoolhouse.simulate.load_config import LoadConfig
from schoolhouse.simulate.to_clickhouse import missing

_MAY_PASS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class LrsUnavailable(DeliveryError):
    """The record store did not answer, or is busy."""

    code = "lrs_unavailable"
    is_retryable = True


class LearningRecordStore:
    """A record store that takes `POST` of many statements at `lrs_url`."""

    def __init__(self, config: LoadConfig, tables: Target) -> None:
        import urllib3

        self._config, self._tables = config, tables
        self._pool = urllib3.PoolManager(
            maxsize=config["num_workers"],
            timeout=float(config["lrs_request_timeout"]),
            retries=False,
            headers={
                "Content-Type": "application/json",
                "X-Experience-API-Version": "1.0.3",
                **urllib3.make_headers(basic_auth=f"{config['lrs_username']}:{config['lrs_password']}"),
            },
        )

    def write_table(self, table: Table, on_rows: OnRows) -> Delivered:
        """Write one table."""
        return self._tables.write_table(table, on_rows)

    def write_statements(self, plan: Plan, state: RunState, on_rows: OnRows) -> Delivered:
        """Post all statements, `num_workers` batches at a time. After a failure no new batch is begun."""
        rows, size, started = 0, 0, time.monotonic()
        underway: dict[Future[int], StatementBatch] = {}
        failure: SchoolhouseError | None = None

        def settle(*, all_of_them: bool) -> None:
            nonlocal rows, size, failure
            while underway and (all_of_them or len(underway) >= self._config["num_workers"]):
                for future in wait(underway, return_when=FIRST_COMPLETED).done:
                    batch = underway.pop(future)
                    try:
                        size += future.result()
                    except SchoolhouseError as error:
                        failure = failure or error
                        continue
                    state.finish_batch(batch.index)
                    rows += len(batch.lines)
                    on_rows(len(batch.lines))

        with ThreadPoolExecutor(self._config["num_workers"]) as threads:
            for batch in batches_of(plan, self._config["batch_size"], state.has_batch):
                settle(all_of_them=False)
                if failure:
                    break
                underway[threads.submit(self._deliver, batch)] = batch
            settle(all_of_them=True)
        if failure:
            raise missing(self._config, state, failure)
        return Delivered("xapi", self._config["lrs_url"], rows, size, time.monotonic() - started)

    def close(self) -> None:
        """Let go of connections."""
        self._pool.clear()
        self._tables.close()

    def _deliver(self, batch: StatementBatch) -> int:
        body = b"[" + b",".join(batch.lines.to_pylist()) + b"]"
        with_retries(f"batch {batch.index}", lambda: self._post(body))
        return len(body)

    def _post(self, body: bytes) -> None:
        """One POST. Statements that the store has already are no failure, so a batch may be sent again."""
        import urllib3

        address = self._config["lrs_url"]
        try:
            answer = self._pool.request("POST", address, body=body)
        except urllib3.exceptions.HTTPError as error:
            raise LrsUnavailable(
                f"The record store at {address} did not answer: {type(error).__name__}.", hint="Check lrs_url."
            ) from None
        if answer.status in {200, 204}:
            return
        if answer.status in _MAY_PASS:
            raise LrsUnavailable(f"The record store at {address} answered {answer.status}.", hint="Look at its log.")
        if answer.status in {401, 403}:
            raise DeliveryError(
                f"The record store at {address} refused the user ({answer.status}).",
                hint="Check lrs_username and lrs_password.",
            )
        raise DeliveryError(
            f"The record store at {address} answered {answer.status}.", hint="Check lrs_url, and look at its log."
        )
