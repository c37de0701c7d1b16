"""Pseudonyms in the place of actors, for warehouses that shall never learn who a learner is.

It is chosen when a warehouse is set up, and cannot be chosen once statements are there. From then on every door of ours
replaces what identifies an actor by a keyed hash (HMAC-SHA256): before a statement is validated, waits in the spool, is
loaded or is rejected. The home page of an account stays, since it names the platform. Names go. The same person gets
the same pseudonym by whichever door, and what is a pseudonym already stays as it is.

Agents are found wherever a statement has them: actor, object, authority, instructor, team, members, sub-statements.
What somebody writes into extensions, results or ids of activities is not looked at. A line that is not JSON is withheld
whole.

Who holds the key can find a person again; who loses it cannot, and has to start anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
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
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            return raw
        return msgspec.json.encode(self._replaced(value))

    def lines(self, block: bytes) -> bytes:
        """Lines of statements with their actors replaced; as many lines as before."""
        return b"\n".join(self._line(line) for line in block.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        if not line.strip():
            return line
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return b"withheld: %d bytes that are not JSON" % len(line)
        if not isinstance(value, dict):
            return b'"withheld: not an object"'
        return msgspec.json.encode(self._replaced(value))

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._replaced(each) for each in value]
        if not isinstance(value, dict):
            return value
        is_agent = value.get("objectType") in ("Agent", "Group") or any(name in value for name in _IDENTIFIERS)
        changed = {}
        for name, inner in value.items():
            if is_agent and name == "name":
                continue
            if is_agent and name in _IDENTIFIERS:
                changed.update(self._identifier(name, inner))
            elif name in _ACTORS and not isinstance(inner, dict):
                changed[name] = None  # whatever it is, it is no actor, and may be a name
            else:
                changed[name] = self._replaced(inner)
        return changed

    def _identifier(self, name: str, value: Any) -> dict[str, Any]:
        if name == "account":
            account = value if isinstance(value, dict) else {}
            home_page, who = str(account.get("homePage", "")), account.get("name")
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


def choose_pseudonyms(warehouse: Warehouse) -> None:
    """Let this warehouse hold pseudonyms only, and make a key if there is none. Choosing it again changes nothing.

    Raises:
        UsageError: statements are there already.
    """
    if not is_pseudonymous(warehouse):
        if warehouse.ask(statement("count_events"), why="pseudonyms").value():
            raise UsageError(
                "Statements are there already, with their actors.", hint="Pseudonyms are chosen before the first load."
            )
        warehouse.run(statement("mark_door_pseudonymous"), why="pseudonyms")
    if pseudonyms_for(warehouse.settings) is None:
        path = warehouse.settings.data_dir / FILE_NAME
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
