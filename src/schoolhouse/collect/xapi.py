"""What the xAPI resource does, whatever serves it over HTTP.

In: bodies, query parameters, and who is asking. Out: ids and statements, or errors with the status that xAPI 1.0.3
wants. Not here yet: voiding, the contents of attachments, the formats `ids` and `canonical`, related agents and
activities, and the document resources; they are refused as NotSupported (501), never half done.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from schoolhouse.collect.clients import Client, Clients, Right
from schoolhouse.collect.forms import Iri, Timestamp, Uuid
from schoolhouse.collect.splicing import authority_json
from schoolhouse.collect.statement_reader import Filters, Found, Page, StatementReader
from schoolhouse.collect.statement_spool import StatementSpool
from schoolhouse.collect.statement_store import Incoming, Request, StatementStore, check_ids, receive
from schoolhouse.collect.validation import VOIDED, Actor, Statement, read_actor, read_body
from schoolhouse.errors import AccessRefused, BodyTooLarge, InvalidStatement, NotSignedIn, NotSupported, UsageError
from schoolhouse.settings import Settings
from schoolhouse.warehouse.pseudonyms import pseudonyms_for

VERSION: Final = "1.0.3"

_BY_ID: Final = frozenset({"statementId", "voidedStatementId", "format", "attachments"})
_FILTERS: Final = frozenset({"agent", "verb", "activity", "registration", "since", "until", "limit", "ascending"})
_FLAGS: Final = ("related_activities", "related_agents", "attachments", "ascending")
_KNOWN: Final = _BY_ID | _FILTERS | {"related_activities", "related_agents", "cursor"}


@dataclass(frozen=True)
class Question:
    """A GET of statements, understood: one id, or filters and a page."""

    statement_id: UUID | None
    filters: Filters
    limit: int
    cursor: str


class Xapi:
    """The xAPI resource over one warehouse, which is opened with the first request; `close` it at the end.

    In mode direct statements go straight to the warehouse; in the other modes the pipeline carries them as bundles.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clients = Clients(settings.credentials_file)
        self._pseudonyms = pseudonyms_for(settings)
        is_direct = settings.etl_mode == "direct"
        self._store: StatementStore | StatementSpool = (StatementStore if is_direct else StatementSpool)(settings)
        self._reader = StatementReader(settings)
        # Bodies are read one at a time: side by side they would only take the interpreter from each other, and from the
        # insert that is under way.
        self._reading = threading.Lock()

    def close(self) -> None:
        """Close the warehouse."""
        self._store.close()
        self._reader.close()

    def signed_in(self, authorization: str, right: Right) -> Client:
        """The client that this `Authorization` header names, if it has the right.

        Raises:
            NotSignedIn: there are no valid credentials (401).
        AccessRefused: the client lacks the right (403).
        """
        client = self.clients.signed_in(authorization)
        if not client:
            raise NotSignedIn("The request has no valid credentials.", hint="Sign in with HTTP Basic or a token.")
        if not client.may(right):
            raise AccessRefused(f"The client {client.name} may not {right} statements.")
        return client

    def is_known(self, authorization: str) -> bool:
        """Whether `signed_in` will answer at once, without hashing a secret."""
        return self.clients.remembers(authorization)

    def consistent_through(self) -> datetime:
        """The time up to which everything stored can be found."""
        return self._store.consistent_through()

    def post(self, body: bytes, client: Client) -> list[str]:
        """Store the statements of a body; their ids in order."""
        ids, received = self._understood(body)
        self._add(received, client)
        return ids

    def _understood(self, body: bytes) -> tuple[list[str], tuple[Incoming, ...]]:
        """The ids of a body's statements as they are answered, and the statements as they are stored.

        What was read is let go here: requests wait long, and the collector would walk through all that they hold.
        """
        with self._reading:
            raws, statements = self._read(body)
            received = self._received(raws, statements, given_id="")
            ids = [statement.id or one.id for statement, one in zip(statements, received, strict=True)]
        return ids, received

    def put(self, statement_id: str, body: bytes, client: Client) -> None:
        """Store one statement under this id."""
        _check_uuid("statementId", statement_id)
        with self._reading:
            raws, statements = self._read(body)
        if body.lstrip().startswith(b"["):
            raise InvalidStatement("PUT takes one statement, not a list.")
        own_id = statements[0].id
        if isinstance(own_id, str) and own_id.lower() != statement_id.lower():
            raise InvalidStatement("The `id` of the statement is not the `statementId` of the request.")
        self._add(self._received(raws, statements, given_id=statement_id), client)

    def _read(self, body: bytes) -> tuple[list[bytes], list[Statement]]:
        """The statements of a body, validated as they came; with pseudonyms for actors where that was chosen."""
        raws, statements = read_body(body)
        return read_body(self._pseudonyms.text(body)) if self._pseudonyms else (raws, statements)

    def _received(self, raws: list[bytes], statements: list[Statement], *, given_id: str) -> tuple[Incoming, ...]:
        for statement in statements:
            _check_supported(statement)
        limit = self.settings.max_line_bytes
        received = tuple(
            receive(raw, statement, given_id=given_id, max_bytes=limit)
            for raw, statement in zip(raws, statements, strict=True)
        )
        check_ids(received)
        return received

    def _add(self, received: tuple[Incoming, ...], client: Client) -> None:
        if received:
            self._store.add(Request(received, authority_json(self.settings.xapi_home_page, client.name)))

    def understand(self, parameters: Mapping[str, str]) -> Question:
        """What the query parameters of a GET ask.

        Raises:
            UsageError: a parameter is unknown, malformed, or does not go with another.
            NotSupported: it asks for what is not built yet.
        """
        unknown = parameters.keys() - _KNOWN
        if unknown:
            raise UsageError(f"There is no parameter `{min(unknown)}`.")
        flags = {name: _flag(name, parameters.get(name, "false")) for name in _FLAGS}
        for name in ("attachments", "related_agents", "related_activities"):
            if flags[name]:
                raise NotSupported(f"`{name}=true` is not supported yet.")
        shape = parameters.get("format", "exact")
        if shape not in {"exact", "ids", "canonical"}:
            raise UsageError("`format` is exact, ids or canonical.")
        if shape != "exact":
            raise NotSupported(f"`format={shape}` is not supported yet.")
        statement_id = _asked_id(parameters)
        if self._pseudonyms and "agent" in parameters:
            parameters = {**parameters, "agent": self._pseudonyms.text(parameters["agent"].encode()).decode()}
        limit = parameters.get("limit", "0")
        if not (limit.isascii() and limit.isdigit()):
            raise UsageError("`limit` must be a whole number, 0 or more.")
        most = self.settings.xapi_max_statements
        return Question(
            statement_id=statement_id,
            filters=_filters(parameters, is_ascending=flags["ascending"]),
            limit=min(int(limit[:9]) or most, most),
            cursor=parameters.get("cursor", ""),
        )

    def statement(self, statement_id: UUID) -> Found | None:
        """One statement, or None."""
        return self._reader.by_id(statement_id)

    def page(self, question: Question) -> Page:
        """Statements by filters."""
        return self._reader.find(question.filters, limit=question.limit, cursor=question.cursor)

    def check_size(self, size_bytes: int) -> None:
        """Raise BodyTooLarge if a body is larger than it may be."""
        if size_bytes > self.settings.xapi_max_body_bytes:
            raise BodyTooLarge(
                f"A body may have {self.settings.xapi_max_body_bytes:,} bytes.", hint="Send fewer statements at once."
            )


def _check_supported(statement: Statement) -> None:
    if statement.verb.id == VOIDED:
        raise NotSupported("Voiding statements is not supported yet.")
    held = [*(statement.attachments or ()), *(statement.object.attachments or ())]
    if any(not attachment.fileUrl for attachment in held):
        raise InvalidStatement("An attachment has no `fileUrl`, and the request does not hold its content.")


def _asked_id(parameters: Mapping[str, str]) -> UUID | None:
    name = "statementId" if "statementId" in parameters else "voidedStatementId"
    if name not in parameters:
        return None
    others = parameters.keys() - {name, "format", "attachments"}
    if others:
        raise UsageError(f"`{name}` does not go with `{min(others)}`.")
    _check_uuid(name, parameters[name])
    # Nothing can be voided yet, so no voided statement is ever found.
    return UUID(parameters[name]) if name == "statementId" else UUID(int=0)


def _filters(parameters: Mapping[str, str], *, is_ascending: bool) -> Filters:
    for name in ("verb", "activity"):
        if name in parameters and not Iri.matches(parameters[name]):
            raise UsageError(f"`{name}` must be an absolute IRI.")
    if "registration" in parameters:
        _check_uuid("registration", parameters["registration"])
    agent, home_page = _agent(parameters["agent"]) if "agent" in parameters else ("", "")
    return Filters(
        agent=agent,
        agent_home_page=home_page,
        verb=parameters.get("verb", ""),
        activity=parameters.get("activity", ""),
        registration=parameters.get("registration", ""),
        since=_time("since", parameters),
        until=_time("until", parameters),
        is_ascending=is_ascending,
    )


def _agent(text: str) -> tuple[str, str]:
    """Identifier and home page of the agent or identified group that a parameter describes."""
    try:
        actor: Actor = read_actor(text.encode())
    except InvalidStatement as error:
        raise UsageError(f"`agent` is not right: {error.message}") from None
    if actor.account:
        return actor.account.name, actor.account.homePage
    for identifier in (actor.mbox, actor.mbox_sha1sum, actor.openid):
        if isinstance(identifier, str):
            return identifier, ""
    raise UsageError("`agent` must be identified by mbox, mbox_sha1sum, openid or account.")


def _time(name: str, parameters: Mapping[str, str]) -> datetime | None:
    if name not in parameters:
        return None
    text = parameters[name].replace(" ", "+")  # a plus sign that was not escaped
    with suppress(ValueError):
        if Timestamp.matches(text):
            return datetime.fromisoformat(text)
    raise UsageError(f"`{name}` must be an RFC 3339 timestamp.")


def _flag(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise UsageError(f"`{name}` must be true or false.")
    return text == "true"


def _check_uuid(name: str, text: str) -> None:
    if not Uuid.matches(text):
        raise UsageError(f"`{name}` must be a UUID.")
