"""How another command finds a running `serve`, and asks through it.

The embedded engine opens for one process. While `serve` holds it, `<data_dir>/serve.json` (readable by its owner
alone) names the address, the process and a secret token that changes with every start; who can read that file may ask
anything that the operator may ask. The file goes when `serve` stops; one that a killed `serve` left behind is noticed.
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from schoolhouse.errors import SchoolhouseError, WarehouseUnavailable
from schoolhouse.settings import Settings

FILE_NAME: Final = "serve.json"


@dataclass(frozen=True)
class RunningServe:
    """A running `serve`: where it listens, its process, and the token that its operator's questions carry."""

    address: str
    pid: int
    token: str = field(repr=False)


@contextmanager
def announced(settings: Settings, address: str, token: str) -> Iterator[RunningServe]:
    """Write `serve.json` for the time of the block."""
    running = RunningServe(address=address, pid=os.getpid(), token=token)
    path = settings.data_dir / FILE_NAME
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{FILE_NAME}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(running), file)
    fresh.replace(path)
    try:
        yield running
    finally:
        if _read(path) == running:
            path.unlink(missing_ok=True)


def find_running_serve(settings: Settings) -> RunningServe | None:
    """The `serve` that runs on this data directory, or None. Its process was alive a moment ago."""
    running = _read(settings.data_dir / FILE_NAME)
    return running if running and _is_alive(running.pid) else None


def ask_through_serve(
    settings: Settings, sql: str, output_format: str, parameters: Mapping[str, int | str] | None = None
) -> bytes | None:
    """Ask the operator's own read-only question through a running `serve`.

    Args:
        settings: name the data directory.
        sql: one SELECT, unscoped.
        output_format: a ClickHouse format, such as `JSONEachRow` or `CSVWithNames`.
        parameters: values of the SELECT by name, bound by the engine.

    Returns:
        The answer in that format; None when no `serve` runs here, so the caller may open the warehouse itself.

    Raises:
        SchoolhouseError: what `serve` answered, as the error that it was there.
        WarehouseUnavailable: `serve` stopped answering in mid-question.
    """
    body = {"sql": sql, "format": output_format, "parameters": dict(parameters or {})}
    return post_to_serve(settings, "/api/query", body)


def post_to_serve(settings: Settings, path: str, body: Mapping[str, Any]) -> bytes | None:
    """Post to one of the operator's own addresses of a running `serve`. Returns and raises as `ask_through_serve`."""
    running = find_running_serve(settings)
    if running is None:
        return None
    request = urllib.request.Request(  # noqa: S310 - the address is http:// by construction
        f"{running.address}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
    try:
        with opener.open(request, timeout=settings.clickhouse_timeout_seconds + 10) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise _error_of(error.read()) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return None  # the process number belongs to another program now
        raise WarehouseUnavailable(f"The running serve (process {running.pid}) did not answer.") from None
    except (TimeoutError, ConnectionError):
        raise WarehouseUnavailable(f"The running serve (process {running.pid}) did not answer.") from None


def _read(path: Path) -> RunningServe | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        facts = json.loads(path.read_text(encoding="utf-8"))
        return RunningServe(str(facts["address"]), int(facts["pid"]), str(facts["token"]))
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _error_of(body: bytes) -> SchoolhouseError:
    """The error of ours that an answer of `serve` carries."""
    try:
        facts = json.loads(body)["error"]
        code, message, hint = str(facts["code"]), str(facts["message"]), str(facts["hint"])
    except (ValueError, TypeError, KeyError):
        return SchoolhouseError("The running serve answered what we do not understand.", hint="Stop and start it.")
    return _class_of(code)(message, hint=hint)


def _class_of(code: str) -> type[SchoolhouseError]:
    waiting: list[type[SchoolhouseError]] = [SchoolhouseError]
    while waiting:
        kind = waiting.pop()
        if kind.code == code:
            return kind
        waiting += kind.__subclasses__()
    return SchoolhouseError
