"""Whether two statements say the same, as xAPI 1.0.3 compares them for immutability.

Not compared: what a store assigns (id, stored, authority, version, and a timestamp that one of them lacks), the
display of verbs, the definitions of activities, the order of a group's members, the case of UUIDs, and how a number or
a time is written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

_ASSIGNED: Final = ("id", "stored", "authority", "version")
_AGENT_PLACES: Final = ("actor", "instructor", "team", "authority")


def say_the_same(first: bytes, second: bytes) -> bool:
    """Whether these two statements, which have one id, are equal.

    One that cannot be read here is no equal of one that can: other routes take what the xAPI resource refuses, such as
    nesting without bound, numbers of any length, and properties of any type.
    """
    try:
        one, other = json.loads(first), json.loads(second)
        if "timestamp" not in one or "timestamp" not in other:
            one.pop("timestamp", None)
            other.pop("timestamp", None)
        return bool(_statement(one) == _statement(other))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return False


@dataclass(frozen=True)
class Fingerprint:
    """What is left of a statement to compare it with others: a digest, and its time (empty if it has none)."""

    digest: bytes
    time: str

    def matches(self, other: Fingerprint) -> bool:
        """Whether the statements, which have one id, say the same."""
        return self.digest == other.digest and (not self.time or not other.time or self.time == other.time)


def fingerprint(line: bytes) -> Fingerprint:
    """The fingerprint of a statement: those of two statements match if `say_the_same` holds for them."""
    statement = json.loads(line)
    time = statement.pop("timestamp", None)
    text = json.dumps(_statement(statement), sort_keys=True, separators=(",", ":"))
    return Fingerprint(hashlib.sha256(text.encode()).digest()[:16], str(_time(time)) if isinstance(time, str) else "")


def _statement(statement: dict[str, Any]) -> Any:
    found = {name: value for name, value in statement.items() if name not in _ASSIGNED}
    if isinstance(found.get("timestamp"), str):
        found["timestamp"] = _time(found["timestamp"])
    if isinstance(found.get("actor"), dict):
        found["actor"] = _agent(found["actor"])
    if isinstance(found.get("verb"), dict):
        found["verb"] = {"id": found["verb"].get("id")}
    if isinstance(found.get("object"), dict):
        found["object"] = _target(found["object"])
    if isinstance(found.get("context"), dict):
        found["context"] = _context(found["context"])
    return _plain(found)


def _target(target: dict[str, Any]) -> Any:
    kind = target.get("objectType", "Activity")
    if kind == "SubStatement":
        return {**_statement(target), "objectType": kind}
    if kind in {"Agent", "Group"}:
        return _agent(target)
    if kind == "StatementRef":
        return {"objectType": kind, "id": str(target.get("id")).lower()}
    return {**{name: value for name, value in target.items() if name != "definition"}, "objectType": kind}


def _agent(agent: dict[str, Any]) -> Any:
    found = {"objectType": "Agent", **agent}
    if isinstance(found.get("member"), list):
        members = [_plain(_agent(one) if isinstance(one, dict) else one) for one in found["member"]]
        found["member"] = sorted(members, key=lambda one: json.dumps(one, sort_keys=True))
    return found


def _context(context: dict[str, Any]) -> Any:
    found = dict(context)
    for name in _AGENT_PLACES:
        if isinstance(found.get(name), dict):
            found[name] = _agent(found[name])
    if isinstance(found.get("registration"), str):
        found["registration"] = found["registration"].lower()
    if isinstance(found.get("statement"), dict):
        found["statement"] = _target({"objectType": "StatementRef", **found["statement"]})
    if isinstance(found.get("contextActivities"), dict):
        found["contextActivities"] = {
            name: [
                _target(one) if isinstance(one, dict) else one for one in (held if isinstance(held, list) else [held])
            ]
            for name, held in found["contextActivities"].items()
        }
    return found


def _time(text: str) -> Any:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """The value with true and 1 kept apart, which Python takes for equal, and 1 and 1.0 made one."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
