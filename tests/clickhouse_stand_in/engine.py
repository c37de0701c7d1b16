"""What the stand-in does with a question: a chDB handle with the account's settings, and the engine's answer.

The surprising fact: opening one more handle on a running engine takes half a millisecond. So every request gets a
handle of its own, its settings are plain `SET`s, and nothing has to be restored afterwards.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import chdb

VERSION: Final = chdb.engine_version


@dataclass(frozen=True)
class Account:
    """A user, as users.xml would describe it."""

    password: str
    profile: Mapping[str, str] = field(default_factory=dict)


ACCOUNTS: Final[Mapping[str, Account]] = {
    "default": Account(password=""),
    "loader": Account(password="loader's pässword+/=&"),
    "reader": Account(password="reader-password", profile={"max_execution_time": "60", "readonly": "2"}),
    "strict_reader": Account(password="strict-password", profile={"max_threads": "1", "readonly": "1"}),
}

# Where an INSERT ends and its data starts.
_OPENING: Final = rb"^(?:\s+|--[^\n]*\n|/\*.*?\*/)*INSERT\s+INTO\s+"
_FORMAT_AND_DATA: Final = rb"\s*\bFORMAT\s+(\w+)[ \t\f]*(?:\r?\n|$|(?=\S))"
_INSERT_DATA: Final = re.compile(_OPENING + rb"(?:(?!\b(?:SELECT|VALUES)\b).)*?" + _FORMAT_AND_DATA, re.I | re.S)
_INSERT_INPUT: Final = re.compile(_OPENING + rb".*?\binput\s*\(.*?" + _FORMAT_AND_DATA, re.I | re.S)
_INPUT: Final = re.compile(r"\binput\s*\(", re.I)

_LAST_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*(?:\bSETTINGS\b[^;]*)?;?\s*$", re.I)
_QUOTED_OR_COMMENT: Final = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`|--[^\n]*|/\*.*?\*/", re.S
)
_HAS_ANSWER: Final = re.compile(r"[\s(]*(?:SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|CHECK|KILL|FROM)\b", re.I)

# chDB makes its own query ids, so the caller's id rides in a setting that nothing else uses.
_ID_SETTING: Final = "query_cache_tag"
_CALLERS_ID: Final = f"if(Settings['{_ID_SETTING}'] = '', query_id, Settings['{_ID_SETTING}'])"


class ServerError(Exception):
    """An error with ClickHouse's number, worded as the server words it."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message} ({name})")
        self.code = code

    @classmethod
    def of_engine(cls, error: Exception) -> ServerError:
        text = str(error)
        text = re.sub(r"\s*\(version [^()]*(?:\([^()]*\))?\)", "", text[max(text.find("Code: "), 0) :])
        match = re.match(r"Code: (\d+)\. DB::Exception: (.*) \((\w+)\)\.?$", text, re.S)
        return cls(int(match[1]), match[3], match[2]) if match else cls(1002, "UNKNOWN_EXCEPTION", text)


@dataclass
class Question:
    """One request, taken apart."""

    account: Account
    settings: Mapping[str, str]
    values: Mapping[str, str]  # bound parameters by name
    head: bytes  # the query, and perhaps the first of its data
    rest: BinaryIO  # the rest of either
    query_id: str
    database: str
    default_format: str
    is_get: bool


@dataclass(frozen=True)
class Reply:
    """What the engine gave. `output_format` is empty where a statement has no answer."""

    data: bytes = b""
    output_format: str = ""
    summary: Mapping[str, int] = field(default_factory=dict)
    has_compression: bool = True
    timezone: str = "UTC"


class Engine:
    """One chDB directory, asked by many threads at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._keeper = chdb.connect(path)  # held open, so that the engine lives between requests
        self._running: set[str] = set()
        self._running_lock = threading.Lock()

    def close(self) -> None:
        self._keeper.close()

    def answer(self, question: Question) -> Reply:
        with self._listed(question.query_id), self._handle(question) as handle:
            if match := _INSERT_DATA.match(question.head):
                return _inserted(handle, match, question)
            if match := _INSERT_INPUT.match(question.head):
                return _inserted_from_input(handle, match, question)
            return _asked(handle, question)

    @contextmanager
    def _listed(self, query_id: str) -> Iterator[None]:
        with self._running_lock:
            if query_id in self._running:
                message = f"Query with id = {query_id} is already running."
                raise ServerError(216, "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", message)
            self._running.add(query_id)
        try:
            yield
        finally:
            with self._running_lock:
                self._running.discard(query_id)

    @contextmanager
    def _handle(self, question: Question) -> Iterator[Any]:
        handle = chdb.connect(self._path)
        try:
            if question.database:
                handle.query(f"USE `{question.database.replace('`', '')}`")
            _set(handle, {_ID_SETTING: question.query_id, **question.account.profile})
            if question.is_get and question.account.profile.get("readonly", "0") == "0":
                _set(handle, {"readonly": "2"})
            _set(handle, question.settings)
            yield handle
        except RuntimeError as error:  # chDB's errors, all of them
            raise ServerError.of_engine(error) from None
        finally:
            handle.close()


def _set(handle: Any, settings: Mapping[str, str]) -> None:
    for name in settings:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise ServerError(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'.")
    if settings:
        handle.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _asked(handle: Any, question: Question) -> Reply:
    sql = (question.head + question.rest.read()).decode()
    plain = _QUOTED_OR_COMMENT.sub(" ", sql)
    if not plain.strip():
        raise ServerError(62, "SYNTAX_ERROR", "Syntax error: failed at position 1 (end of query).")
    if re.search(r";\s*[^\s;]", plain):  # chDB would run them all
        raise ServerError(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed).")
    result = handle.query(_with_callers_ids(sql), question.default_format, params=dict(question.values))
    data = result.bytes() or b""
    named = _LAST_FORMAT.search(plain)
    output_format = named[1] if named else question.default_format
    facts = handle.query("SELECT getSetting('enable_http_compression'), timezone()", "TabSeparated").bytes()
    compression, timezone = facts.decode().split()
    return Reply(
        data=data,
        output_format=output_format if data or _HAS_ANSWER.match(plain) else "",
        summary={
            "read_rows": result.storage_rows_read(),
            "read_bytes": result.storage_bytes_read(),
            "written_rows": result.rows_written(),
            "written_bytes": result.bytes_written(),
            "result_rows": result.rows_read(),
            "result_bytes": len(data),
            "elapsed_ns": int(result.elapsed() * 1e9),
        },
        has_compression=compression in {"1", "true"},
        timezone=timezone,
    )


def _with_callers_ids(sql: str) -> str:
    """The query with the callers' query ids where chDB has its own."""
    if re.match(r"\s*KILL\s+QUERY\b", sql, re.I):
        return re.sub(r"\bquery_id\b", _CALLERS_ID, sql)
    processes = f"(SELECT * REPLACE ({_CALLERS_ID} AS query_id) FROM system.processes)"
    return re.sub(r"\bsystem\.processes\b", processes, sql)


def _inserted(handle: Any, match: re.Match[bytes], question: Question) -> Reply:
    """`INSERT INTO … FORMAT X` and the data. It goes by way of a file: a streamed insert of chDB does not say it when a
    view behind the table fails.
    """
    statement = question.head[: match.start(1)].decode().rstrip()[: -len("FORMAT")]
    with _data_file(match, question) as path:
        result = handle.query(f"{statement} SELECT * FROM file({_quoted(path)}, {match[1].decode()})")
    return Reply(summary={"written_rows": result.rows_written(), "written_bytes": result.bytes_written()})


def _inserted_from_input(handle: Any, match: re.Match[bytes], question: Question) -> Reply:
    """`INSERT … SELECT … FROM input(…) FORMAT X`: chDB has no input() here, so the data goes by way of a file, too."""
    statement = question.head[: match.start(1)].decode().rstrip()[: -len("FORMAT")]
    with _data_file(match, question) as path:
        source = f"file({_quoted(path)}, {match[1].decode()}, "
        result = handle.query(_INPUT.sub(lambda _: source, statement, count=1), params=dict(question.values))
    return Reply(summary={"read_rows": result.storage_rows_read(), "written_rows": result.rows_written()})


@contextmanager
def _data_file(match: re.Match[bytes], question: Question) -> Iterator[str]:
    """The data of an INSERT as a file, for as long as it is needed."""
    with tempfile.NamedTemporaryFile(prefix="clickhouse-stand-in-") as file:
        file.write(question.head[match.end() :])
        while block := question.rest.read(1 << 20):
            file.write(block)
        file.flush()
        yield file.name
