"""The YAML configurations of xapi-db-load, read as they are: the keys of its first releases and of 3.1.

Every key has one line below: its type, its default, and whether a backend needs it. An unknown key, a missing key and a
value that cannot be are errors that name the key.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from schoolhouse.errors import UsageError
from schoolhouse.simulate.campus import FIRST_DAY, LAST_DAY, MOST, CourseSize, Plan, is_address

Backend = Literal["csv", "clickhouse", "ralph", "chdb", "vector"]
BACKENDS: Final[dict[str, Backend]] = {
    "csv_file": "csv",
    "csv": "csv",
    "clickhouse": "clickhouse",
    "ralph_clickhouse": "ralph",
    "ralph": "ralph",
    "chdb": "chdb",
    "vector": "vector",
}
DEFAULT_CONFIG: Final = "default_config.yaml"
_CLICKHOUSE: Final = ("clickhouse", "ralph", "vector")
_EVERY: Final = ("csv", "clickhouse", "ralph", "chdb", "vector")
_REQUIRED: Final = object()


@dataclass(frozen=True)
class _Key:
    kind: Callable[[Any], Any]
    default: Any = _REQUIRED
    needed_by: tuple[Backend, ...] = ()


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number, 0 or more")
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise ValueError("a text")  # noqa: TRY004, told apart from other mistakes by nobody
    return str(value)


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004, the same
    return value


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("a day such as 2025-09-01") from None


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise ValueError("a list of names with values")
    return {str(name): entry for name, entry in value.items()}


def _port(value: Any) -> int:
    return 8123 if value is None else _whole(value)


# `_REQUIRED` keys are needed by every run; `needed_by` names the backends that need one besides.
_KEYS: Final[dict[str, _Key]] = {
    "backend": _Key(_text),
    "log_dir": _Key(_text, "logs"),
    "log_max_bytes": _Key(_whole, 10_000_000),
    "log_backup_count": _Key(_whole, 5),
    "lms_url": _Key(_text, "http://localhost:18000"),
    "num_batches": _Key(_whole),
    "batch_size": _Key(_whole),
    "num_workers": _Key(_whole, 4),
    "seed": _Key(_whole, 1),
    "start_date": _Key(_day),
    "end_date": _Key(_day),
    "course_length_days": _Key(_whole),
    "num_organizations": _Key(_whole),
    "num_actors": _Key(_whole),
    "num_actor_profile_changes": _Key(_whole, 5),
    "num_course_sizes": _Key(_mapping),
    "num_course_publishes": _Key(_whole, 5),
    "course_size_makeup": _Key(_mapping),
    "db_host": _Key(_text, "", _CLICKHOUSE),
    "db_port": _Key(_port, 8123),
    "db_username": _Key(_text, "", _CLICKHOUSE),
    "db_password": _Key(_text, ""),
    "db_name": _Key(_text, "xapi"),
    "db_event_sink_name": _Key(_text, "event_sink"),
    "lrs_url": _Key(_text, "", ("ralph",)),
    "lrs_username": _Key(_text, "", ("ralph",)),
    "lrs_password": _Key(_text, "", ("ralph",)),
    "lrs_request_timeout": _Key(_whole, 120),
    "csv_output_destination": _Key(_text, "", ("csv",)),
    "load_from_s3_after": _Key(_yes_or_no, False),
    "s3_source_location": _Key(_text, ""),
    "s3_bucket": _Key(_text, "", ("chdb",)),
    "s3_prefix": _Key(_text, ""),
    "s3_key": _Key(_text, ""),
    "s3_secret": _Key(_text, ""),
}
_OTHER_NAMES: Final = {
    "num_xapi_batches": "num_batches",
    "csv_load_from_s3_after": "load_from_s3_after",
}
_SECRETS_IN_ENVIRONMENT: Final = {
    "XAPI_DB_LOAD_CLICKHOUSE_PASSWORD": "db_password",
    "XAPI_DB_LOAD_AWS_SECRET_ACCESS_KEY": "s3_secret",
    "XAPI_DB_LOAD_RALPH_PASSWORD": "lrs_password",
}
# What a load from S3 alone needs.
_LOAD_KEYS: Final = ("db_host", "db_username", "s3_source_location")
_AT_LEAST_ONE: Final = (
    *("num_batches", "batch_size", "num_organizations", "num_actors", "num_course_publishes", "num_workers"),
    "lrs_request_timeout",
)
_MAKEUP: Final = ("actors", "problems", "videos", "chapters", "sequences", "verticals", "forum_posts")


@dataclass(frozen=True)
class LoadConfig:
    """A configuration, checked."""

    backend: Backend
    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def statements(self) -> int:
        """Statements of the whole run."""
        return int(self["num_batches"] or 0) * int(self["batch_size"] or 0)

    @property
    def is_secure(self) -> bool:
        """TLS, as xapi-db-load tells it from the port."""
        return str(self["db_port"]).endswith(("443", "440"))

    def plan(self) -> Plan:
        """The campus that the configuration describes: one course run for each course of each size."""
        sizes = []
        for name, count in self["num_course_sizes"].items():
            made = self["course_size_makeup"][name]
            size = CourseSize(
                learners=made["actors"],
                pages=made["verticals"],
                items=made["problems"],
                videos=made["videos"],
                chapters=made["chapters"],
                sequences=made["sequences"],
                posts=made["forum_posts"],
            )
            sizes += [size] * count
        return Plan(
            dialect="openedx",
            sections=len(sizes),
            learners=self["num_actors"],
            days=(self["end_date"] - self["start_date"]).days,
            statements=self.statements,
            seed=self["seed"],
            start=self["start_date"],
            term_days=self["course_length_days"],
            host=self["lms_url"].rstrip("/"),
            organizations=self["num_organizations"],
            sizes=tuple(sizes),
        )


def read_config(path: str | None) -> LoadConfig:
    """Read a configuration file; None reads the small default that ships with the program."""
    return parse_config(_yaml(path), path or DEFAULT_CONFIG)


def read_load_config(path: str) -> LoadConfig:
    """Read what a load from S3 needs; the keys of a whole run may be there as well."""
    given = _known(_yaml(path), path)
    values = {name: _converted(name, given[name], path) for name in given}
    missing = [name for name in _LOAD_KEYS if not values.get(name)]
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}.", hint="A load from S3 needs them.")
    filled = {name: values.get(name, None if key.default is _REQUIRED else key.default) for name, key in _KEYS.items()}
    config = LoadConfig("csv", filled)
    _check_source(config, path)
    return config


def parse_config(raw: Any, where: str) -> LoadConfig:
    """Check the content of a configuration."""
    given = _known(raw, where)
    if "backend" not in given:
        raise UsageError(f"{where} lacks backend.", hint=f"It is one of {', '.join(BACKENDS)}.")
    asked = _converted("backend", given["backend"], where)
    if asked not in BACKENDS:
        raise UsageError(f"{where}: there is no backend {asked!r}.", hint=f"It is one of {', '.join(BACKENDS)}.")
    backend = BACKENDS[asked]
    missing = [
        name
        for name, key in _KEYS.items()
        if (name not in given and key.default is _REQUIRED)
        or (backend in key.needed_by and given.get(name) in (None, ""))
    ]
    if missing:
        raise UsageError(f"{where} lacks {', '.join(missing)}.", hint=f"The backend {backend} needs them.")
    values = {name: _converted(name, given[name], where) if name in given else _KEYS[name].default for name in _KEYS}
    config = LoadConfig(backend, values)
    _check_sizes(config, where)
    _check_targets(config, where)
    return config


def _yaml(path: str | None) -> Any:
    import yaml

    try:
        if path is None:
            text = files("schoolhouse.simulate.configs").joinpath(DEFAULT_CONFIG).read_text()
        else:
            text = Path(path).read_text()
        return yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from None
    except (yaml.YAMLError, ValueError) as error:  # a day that is not in the calendar is a ValueError
        raise UsageError(f"{path} is no YAML: {str(error).splitlines()[0]}.") from None


def _known(raw: Any, where: str) -> dict[str, Any]:
    """The keys by their newest names, with the secrets that the environment gives."""
    if not isinstance(raw, dict):
        raise UsageError(f"{where} holds no keys and values.")
    given: dict[str, Any] = {}
    for name, value in raw.items():
        newest = _OTHER_NAMES.get(str(name), str(name))
        if newest not in _KEYS:
            near = difflib.get_close_matches(str(name), [*_KEYS, *_OTHER_NAMES], 1)
            guess = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(f"{where}: unknown key {name!r}.", hint=f"{guess}The keys are {', '.join(_KEYS)}.")
        if newest in given:
            raise UsageError(f"{where} gives {newest} twice, under two names.")
        given[newest] = value
    for variable, name in _SECRETS_IN_ENVIRONMENT.items():
        if os.environ.get(variable):
            given[name] = os.environ[variable]
    return given


def _converted(name: str, value: Any, where: str) -> Any:
    try:
        return _KEYS[name].kind(value)
    except ValueError as error:
        raise UsageError(f"{where}: {name} must be {error}.") from None


def _check_sizes(config: LoadConfig, where: str) -> None:
    """The course sizes fit one another, and the run."""
    for name, count in config["num_course_sizes"].items():
        _check_whole(f"num_course_sizes.{name}", count, where)
        _check_makeup(config, name, where)
    if config["end_date"] <= config["start_date"]:
        raise UsageError(f"{where}: end_date must be later than start_date.")
    days = (config["end_date"] - config["start_date"]).days
    if not 1 <= config["course_length_days"] < days:
        raise UsageError(f"{where}: course_length_days must be less than the {days} days from start to end.")
    if not FIRST_DAY <= config["start_date"] <= config["end_date"] <= LAST_DAY:
        raise UsageError(f"{where}: start_date and end_date must be between {FIRST_DAY} and {LAST_DAY}.")
    for name in _AT_LEAST_ONE:
        if config[name] < 1:
            raise UsageError(f"{where}: {name} must be at least 1.")
    courses = sum(config["num_course_sizes"].values())
    if not courses:
        raise UsageError(f"{where}: num_course_sizes asks for no course at all.")
    for name, asked, most in (
        ("num_course_sizes", courses, MOST["sections"]),
        ("num_actors", config["num_actors"], MOST["learners"]),
        ("num_organizations", config["num_organizations"], MOST["organizations"]),
        ("the days from start_date to end_date", days, MOST["days"]),
    ):
        if asked > most:
            raise UsageError(f"{where}: {name} come to {asked:,}; at most {most:,} are possible.")


def _check_whole(name: str, value: Any, where: str) -> None:
    try:
        _whole(value)
    except ValueError as error:
        raise UsageError(f"{where}: {name} must be {error}.") from None


def _check_makeup(config: LoadConfig, name: str, where: str) -> None:
    """A size that is asked for is described, wholly and soundly."""
    known = config["course_size_makeup"]
    if name not in known:
        raise UsageError(
            f"{where}: the size {name!r} of num_course_sizes is not in course_size_makeup.",
            hint=f"There are {', '.join(known)}.",
        )
    made = known[name] if isinstance(known[name], dict) else {}
    place, hint = f"course_size_makeup.{name}", f"A size has {', '.join(_MAKEUP)}."
    for part in _MAKEUP:
        if part not in made:
            raise UsageError(f"{where}: {place} lacks {part}.", hint=hint)
        _check_whole(f"{place}.{part}", made[part], where)
    for part in set(made) - set(_MAKEUP):
        raise UsageError(f"{where}: unknown key {place}.{part}.", hint=hint)
    if made["actors"] > config["num_actors"]:
        most = config["num_actors"]
        raise UsageError(f"{where}: {place}.actors is {made['actors']}, more than num_actors ({most}).")
    if min(made[part] for part in ("actors", "verticals", "chapters", "sequences")) < 1:
        raise UsageError(f"{where}: {place} needs an actor, a chapter, a sequence and a vertical.")
    if made["videos"] > made["verticals"]:
        raise UsageError(f"{where}: {place} has more videos than verticals to put them on.")


def _check_targets(config: LoadConfig, where: str) -> None:
    """What is written can be reached by what loads it, and ids can begin with the address of the platform."""
    if not is_address(config["lms_url"]):
        raise UsageError(f"{where}: lms_url must be an address such as http://localhost:18000.")
    if config["load_from_s3_after"]:
        if config.backend == "csv" and not config["csv_output_destination"].startswith("s3://"):
            raise UsageError(f"{where}: load_from_s3_after needs a csv_output_destination that starts with s3://.")
        needed = _LOAD_KEYS if config.backend == "csv" else _LOAD_KEYS[:2]
        missing = [name for name in needed if not config[name]]
        if missing:
            raise UsageError(f"{where} lacks {', '.join(missing)}.", hint="load_from_s3_after needs them.")
    if config["s3_source_location"]:
        _check_source(config, where)


def _check_source(config: LoadConfig, where: str) -> None:
    """ClickHouse reads by https; a server on this machine may be read by http."""
    scheme = config["s3_source_location"].partition("://")[0].lower() if "://" in config["s3_source_location"] else ""
    try:
        host = urlsplit(config["s3_source_location"]).hostname
    except ValueError:  # brackets that hold no IPv6 address
        host = None
    is_here = host in {"127.0.0.1", "localhost"}
    if not host or (scheme != "https" and not (scheme == "http" and is_here)):
        raise UsageError(
            f"{where}: s3_source_location must be an https address (was {scheme or 'nothing'}://…).",
            hint="ClickHouse reads from it; it points to the same place as csv_output_destination.",
        )
