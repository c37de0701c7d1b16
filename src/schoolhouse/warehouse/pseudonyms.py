"""Pseudonyms in the place of actors, for warehouses that shall never learn who a learner is.

It is chosen when a warehouse is set up, and cannot be chosen once statements are there. From then on every door of ours
replaces what identifies an actor by a keyed hash (HMAC-SHA256): before a statement is validated, waits in the spool, is
loaded or is rejected. The home page of an account stays, since it names the platform. Names go. The same person gets
the same pseudonym by whichever door, and what is a pseudonym already stays as it is.

Agents are found wherever a statement has them: actor, object, authority, instructor, team, members, sub-statements. Of
an agent its type, identifiers and members are kept, and nothing else.
What somebody writes into extensions, results or ids of activities is not looked at. A line that is not JSON in
UTF-8 is withheld whole.

Who holds the key can find a person again; who loses it cannot, and has to start anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Any, Final

import msgspec

from schoolhouse.errors import SettingsError, UsageError, WarehouseNotReady
from schoolhouse.settings import Settings
from schoolhouse.warehouse.connection import Warehouse
from schoolhouse.warehouse.statements import statement

FILE_NAME: Final = "learner-pseudonyms.key"
MARK: Final = "Actors are pseudonyms here."

_MADE: Final = re.compile(r"p-[0-9a-f]{32}")
_HOST: Final = "pseudonym.invalid"
_IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")
_ACTORS: Final = ("actor", "authority", "instructor", "team")
_AGENT_TYPES: Final = ("Agent", "Group")
# What the mapping takes off a line too (`extract_fields`): white space, and the bytes of a byte order mark.
_AROUND: Final = b" \t\r\n\v\f\xef\xbb\xbf"
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Pseudonyms:
    """Replaces actors, with one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def of(self, kind: str, identifier: str) -> str:
        """The pseudonym of an identifier; of a pseudonym it is itself."""
        if _MADE.fullmatch(identifier):
            return identifier
        return "p-" + hmac.new(self._key, f"{kind}\n{identifier}".encode(), hashlib.sha256).hexdigest()[:32]

    def text(self, raw: bytes) -> bytes:
        """A JSON text (statement, list of statements, actor) with its actors replaced; other text unchanged."""
        try:
            value = msgspec.json.decode(raw.strip(_AROUND))
        except _UNREADABLE:
            return raw
        return msgspec.json.encode(self._replaced(value))

    def lines(self, block: bytes) -> bytes:
        """Lines of statements with their actors replaced; as many lines as before."""
        return b"\n".join(self._line(line) for line in block.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        body = line.strip(_AROUND)
        if not body:
            return line
        try:
            value = msgspec.json.decode(body)
        except _UNREADABLE:
            return b"withheld: %d bytes that are not JSON" % len(line)
        if not isinstance(value, dict):
            return b'"withheld: not an object"'
        return msgspec.json.encode(self._replaced(value))

    def _replaced(self, value: Any) -> Any:
        """A value with its agents replaced; what has an identifier elsewhere loses its name, and keeps the rest."""
        if isinstance(value, list):
            return [self._replaced(each) for each in value]
        if not isinstance(value, dict):
            return value
        has_identifier = any(name in value for name in _IDENTIFIERS)
        changed = {}
        for name, inner in value.items():
            if has_identifier and name == "name":
                continue
            if name in _IDENTIFIERS:
                changed.update(self._identifier(name, inner))
            elif name in _ACTORS:
                changed[name] = self._agent(inner)
            elif name == "member":
                changed[name] = self._members(inner)
            elif name == "object" and isinstance(inner, dict) and inner.get("objectType") in _AGENT_TYPES:
                changed[name] = self._agent(inner)
            else:
                changed[name] = self._replaced(inner)
        return changed

    def _agent(self, value: Any) -> dict[str, Any] | None:
        """What stands in the place of an agent: all but type, identifiers and members goes, for it may be a name."""
        if not isinstance(value, dict):
            return None
        changed: dict[str, Any] = {}
        for name, inner in value.items():
            if name == "objectType" and inner in _AGENT_TYPES:
                changed[name] = inner
            elif name in _IDENTIFIERS:
                changed.update(self._identifier(name, inner))
            elif name == "member":
                changed[name] = self._members(inner)
        return changed

    def _members(self, value: Any) -> Any:
        return [self._agent(each) for each in value] if isinstance(value, list) else self._agent(value)

    def _identifier(self, name: str, value: Any) -> dict[str, Any]:
        if name == "account":
            account = value if isinstance(value, dict) else {}
            home_page, who = account.get("homePage"), account.get("name")
            home_page = home_page if isinstance(home_page, str) else ""
            return {"account": {"homePage": home_page, "name": self.of(f"account {home_page}", str(who))}}
        text = str(value)
        if name == "openid":
            made = text.removeprefix(f"https://{_HOST}/")
            return {"openid": f"https://{_HOST}/{self.of('openid', made)}"}
        # An address and its hash are one person: both become the same address, of the hash.
        if name == "mbox":
            made = text.removeprefix("mailto:").removesuffix(f"@{_HOST}")
            digest = made if _MADE.fullmatch(made) else hashlib.sha1(text.lower().encode()).hexdigest()  # noqa: S324
        else:
            digest = text.lower()
        return {"mbox": f"mailto:{self.of('mbox', digest)}@{_HOST}"}


def pseudonyms_for(settings: Settings) -> Pseudonyms | None:
    """What replaces actors at the doors of this program: by the key of the settings or the data directory, if any."""
    key = settings.pseudonym_key.get_secret_value()
    path = settings.data_dir / FILE_NAME
    if not key and path.is_file():
        key = path.read_text(encoding="ascii").strip()
    if key and len(key) < 32:
        raise SettingsError("LEARNER_PSEUDONYM_KEY is too short.", hint="Give 32 characters or more.")
    return Pseudonyms(key) if key else None


def pseudonyms_of(warehouse: Warehouse) -> Pseudonyms | None:
    """What replaces actors in all that is loaded into this warehouse; None when it keeps them.

    Raises:
        WarehouseNotReady: the warehouse takes pseudonyms only, and this program has no key.
    """
    if not is_pseudonymous(warehouse):
        return None
    found = pseudonyms_for(warehouse.settings)
    if found is None:
        raise WarehouseNotReady(
            "The warehouse takes pseudonyms only, and this program has no key.",
            hint=f"Set LEARNER_PSEUDONYM_KEY, or copy {FILE_NAME} into SCHOOLHOUSE_DATA_DIR.",
        )
    return found


def is_pseudonymous(warehouse: Warehouse) -> bool:
    """Whether this warehouse was set up to hold pseudonyms: the comment of its door says so."""
    return bool(warehouse.ask(statement("read_door_comment"), why="pseudonyms").value() == MARK)


def mark_pseudonymous(warehouse: Warehouse) -> None:
    """Say at the door of this warehouse that it takes pseudonyms only; every load looks there first."""
    warehouse.run(statement("mark_door_pseudonymous"), why="pseudonyms")


def choose_pseudonyms(warehouse: Warehouse) -> None:
    """Let this warehouse hold pseudonyms only, and make a key if there is none. Choosing it again changes nothing.

    Raises:
        UsageError: statements are there already, or rejected lines.
        WarehouseNotReady: it was chosen before, and this program lacks the key; a second one would split each person.
    """
    if pseudonyms_of(warehouse):
        return
    if any(warehouse.ask(statement(name), why="pseudonyms").value() for name in ("count_events", "count_rejects")):
        raise UsageError(
            "Statements are there already, with their actors.", hint="Pseudonyms are chosen before the first load."
        )
    if pseudonyms_for(warehouse.settings) is None:
        _make_key(warehouse.settings.data_dir / FILE_NAME)
    mark_pseudonymous(warehouse)  # after the key: cut off in between, it is chosen again with that key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))


def require_pseudonymous_source(warehouse: Warehouse) -> None:
    """Refuse to let ClickHouse read statements by itself, where no door of ours sees them.

    Raises:
        SettingsError: the warehouse takes pseudonyms only, and the source is not declared to hold them.
    """
    if is_pseudonymous(warehouse) and not warehouse.settings.s3_source_is_pseudonymous:
        raise SettingsError(
            "ClickHouse would read statements with their actors into a warehouse of pseudonyms.",
            hint="Set ETL_READER=parquet; or S3_SOURCE_IS_PSEUDONYMOUS=true if the bundles hold pseudonyms already.",
        )
