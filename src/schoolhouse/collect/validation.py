"""Strict validation of xAPI 1.0.3 statements.

In: one statement's bytes, or a request's body with one or many. Out: `Statement` structs, or InvalidStatement with a
reason that names the property. Nothing is repaired and nothing unknown passes.

The surprising fact: msgspec builds the structs and checks names, types and nulls in C; forms of text are types of their
own (`forms`), and what cannot be expressed so stands in the `__post_init__` of the struct concerned. msgspec adds the
path to whatever ValueError is raised there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from schoolhouse.collect.extensions import check_extensions
from schoolhouse.collect.forms import (
    EARLIEST,
    Duration,
    Iri,
    Language,
    Mailbox,
    MediaType,
    Sha1,
    Sha2,
    Timestamp,
    Uuid,
    Version,
    check_time,
    is_plainly_past,
    read_form,
)
from schoolhouse.collect.members import count_members, repeated_member
from schoolhouse.errors import InvalidStatement

LanguageMap = dict[Language, str]


class _Part(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A part of a statement: refuses properties that the specification does not name."""


class Account(_Part):
    """An account on a system."""

    homePage: Iri  # noqa: N815 - the names are the specification's
    name: Annotated[str, Meta(min_length=1)]


class Actor(_Part):
    """An Agent or a Group."""

    objectType: Literal["Agent", "Group"] = "Agent"  # noqa: N815
    name: str | UnsetType = UNSET
    mbox: Mailbox | UnsetType = UNSET
    mbox_sha1sum: Sha1 | UnsetType = UNSET
    openid: Iri | UnsetType = UNSET
    account: Account | UnsetType = UNSET
    member: list[Actor] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_actor(self)


def _check_actor(actor: Actor | Target) -> None:
    identifiers = (
        (actor.mbox is not UNSET)
        + (actor.mbox_sha1sum is not UNSET)
        + (actor.openid is not UNSET)
        + (actor.account is not UNSET)
    )
    if actor.objectType != "Group":
        if actor.member is not UNSET:
            raise ValueError("only a Group has `member`")
        if identifiers != 1:
            raise ValueError("an Agent has exactly one of `mbox`, `mbox_sha1sum`, `openid`, `account`")
        return
    if identifiers > 1:
        raise ValueError("a Group has at most one of `mbox`, `mbox_sha1sum`, `openid`, `account`")
    if not identifiers and not actor.member:
        raise ValueError("a Group without an identifier needs `member`")
    if actor.member and any(one.objectType == "Group" for one in actor.member):
        raise ValueError("`member` of a Group must hold Agents only")


class Verb(_Part):
    """What was done."""

    id: Iri
    display: LanguageMap | UnsetType = UNSET


class Component(_Part):
    """A choice, scale point, source, target or step of an interaction."""

    id: Annotated[str, Meta(min_length=1)]
    description: LanguageMap | UnsetType = UNSET


_COMPONENTS: Final = {
    "choices": {"choice", "sequencing"},
    "scale": {"likert"},
    "source": {"matching"},
    "target": {"matching"},
    "steps": {"performance"},
}


class Definition(_Part):
    """What an Activity is."""

    name: LanguageMap | UnsetType = UNSET
    description: LanguageMap | UnsetType = UNSET
    type: Iri | UnsetType = UNSET
    moreInfo: Iri | UnsetType = UNSET  # noqa: N815
    extensions: dict[str, Any] | UnsetType = UNSET
    interactionType: (  # noqa: N815
        Literal[
            "true-false",
            "choice",
            "fill-in",
            "long-fill-in",
            "matching",
            "performance",
            "sequencing",
            "likert",
            "numeric",
            "other",
        ]
        | UnsetType
    ) = UNSET
    correctResponsesPattern: list[str] | UnsetType = UNSET  # noqa: N815
    choices: list[Component] | UnsetType = UNSET
    scale: list[Component] | UnsetType = UNSET
    source: list[Component] | UnsetType = UNSET
    target: list[Component] | UnsetType = UNSET
    steps: list[Component] | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_extensions(self.extensions)
        if self.interactionType is UNSET and (
            self.correctResponsesPattern
            is self.choices
            is self.scale
            is self.source
            is self.target
            is self.steps
            is UNSET
        ):
            return
        if self.interactionType is UNSET and self.correctResponsesPattern is not UNSET:
            raise ValueError("`correctResponsesPattern` needs an `interactionType`")
        for name, kinds in _COMPONENTS.items():
            components = getattr(self, name)
            if components is UNSET:
                continue
            if self.interactionType not in kinds:
                raise ValueError(f"`{name}` needs `interactionType` {' or '.join(sorted(kinds))}")
            if len({component.id for component in components}) != len(components):
                raise ValueError(f"the ids of `{name}` must differ")


class Activity(_Part):
    """An Activity, as context activities are."""

    id: Iri
    objectType: Literal["Activity"] = "Activity"  # noqa: N815
    definition: Definition | UnsetType = UNSET


class StatementRef(_Part):
    """A pointer to another statement."""

    objectType: Literal["StatementRef"]  # noqa: N815
    id: Uuid


class Score(_Part):
    """A score; `raw` lies between `min` and `max`, `scaled` between -1 and 1."""

    scaled: Annotated[float, Meta(ge=-1, le=1)] | UnsetType = UNSET
    raw: float | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET

    def __post_init__(self) -> None:
        low = float("-inf") if self.min is UNSET else self.min
        high = float("inf") if self.max is UNSET else self.max
        if low >= high:
            raise ValueError("`min` must be less than `max`")
        if self.raw is not UNSET and not low <= self.raw <= high:
            raise ValueError("`raw` must lie between `min` and `max`")


class Result(_Part):
    """How it ended."""

    score: Score | UnsetType = UNSET
    success: bool | UnsetType = UNSET
    completion: bool | UnsetType = UNSET
    response: str | UnsetType = UNSET
    duration: Duration | UnsetType = UNSET
    extensions: dict[str, Any] | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_extensions(self.extensions)


class ContextActivities(_Part):
    """Activities that the statement belongs to; one alone may stand for a list of one."""

    parent: list[Activity] | Activity | UnsetType = UNSET
    grouping: list[Activity] | Activity | UnsetType = UNSET
    category: list[Activity] | Activity | UnsetType = UNSET
    other: list[Activity] | Activity | UnsetType = UNSET


class Context(_Part):
    """Where and with whom."""

    registration: Uuid | UnsetType = UNSET
    instructor: Actor | UnsetType = UNSET
    team: Actor | UnsetType = UNSET
    contextActivities: ContextActivities | UnsetType = UNSET  # noqa: N815
    revision: str | UnsetType = UNSET
    platform: str | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    statement: StatementRef | UnsetType = UNSET
    extensions: dict[str, Any] | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_extensions(self.extensions)
        if self.team is not UNSET and self.team.objectType != "Group":
            raise ValueError("`team` must be a Group")


class Attachment(_Part):
    """A file that belongs to the statement."""

    usageType: Iri  # noqa: N815
    display: LanguageMap
    contentType: MediaType  # noqa: N815
    length: Annotated[int, Meta(ge=0)]
    sha2: Sha2
    description: LanguageMap | UnsetType = UNSET
    fileUrl: Iri | UnsetType = UNSET  # noqa: N815


_ACTOR_PROPERTIES: Final = frozenset({"name", "mbox", "mbox_sha1sum", "openid", "account", "member"})
_SUB_PROPERTIES: Final = frozenset({"actor", "verb", "object", "result", "context", "timestamp", "attachments"})
_TARGET_PROPERTIES: Final[dict[str, frozenset[str]]] = {
    "Activity": frozenset({"id", "definition"}),
    "Agent": _ACTOR_PROPERTIES,
    "Group": _ACTOR_PROPERTIES,
    "StatementRef": frozenset({"id"}),
    "SubStatement": _SUB_PROPERTIES,
}


class Target(_Part):
    """A statement's `object`, of whichever kind: its `objectType` says which properties it may have."""

    objectType: Literal["Activity", "Agent", "Group", "StatementRef", "SubStatement"] = "Activity"  # noqa: N815
    id: str | UnsetType = UNSET
    definition: Definition | UnsetType = UNSET
    name: str | UnsetType = UNSET
    mbox: Mailbox | UnsetType = UNSET
    mbox_sha1sum: Sha1 | UnsetType = UNSET
    openid: Iri | UnsetType = UNSET
    account: Account | UnsetType = UNSET
    member: list[Actor] | UnsetType = UNSET
    actor: Actor | UnsetType = UNSET
    verb: Verb | UnsetType = UNSET
    object: Target | UnsetType = UNSET
    result: Result | UnsetType = UNSET
    context: Context | UnsetType = UNSET
    timestamp: Timestamp | UnsetType = UNSET
    attachments: list[Attachment] | UnsetType = UNSET

    def __post_init__(self) -> None:
        kind = self.objectType
        if kind == "Activity":
            if self.id is UNSET or not Iri.matches(self.id):
                raise ValueError("the `id` of an Activity must be an absolute IRI")
        elif kind == "StatementRef":
            if self.id is UNSET or not Uuid.matches(self.id):
                raise ValueError("the `id` of a StatementRef must be a UUID")
        elif kind == "SubStatement":
            _check_sub_statement(self)
        else:
            _check_actor(self)
        if kind == "Activity" and (  # nearly all of them: spare the loop
            self.name
            is self.mbox
            is self.mbox_sha1sum
            is self.openid
            is self.account
            is self.member
            is self.actor
            is UNSET
            and self.verb is self.object is self.result is self.context is self.timestamp is self.attachments is UNSET
        ):
            return
        allowed = _TARGET_PROPERTIES[kind]
        for name in self.__struct_fields__:
            if name not in allowed and name != "objectType" and getattr(self, name) is not UNSET:
                raise ValueError(f"`{name}` does not belong into an object of type {kind}")


def _check_sub_statement(sub: Target) -> None:
    for name in ("actor", "verb", "object"):
        if getattr(sub, name) is UNSET:
            raise ValueError(f"a SubStatement needs `{name}`")
    assert sub.object is not UNSET  # noqa: S101 - just seen, and unknown to mypy
    if sub.object.objectType == "SubStatement":
        raise ValueError("a SubStatement cannot hold a SubStatement")
    _check_context(sub.context, sub.object)
    check_time(sub.timestamp)


class Statement(_Part):
    """A statement."""

    actor: Actor
    verb: Verb
    object: Target
    id: Uuid | UnsetType = UNSET
    result: Result | UnsetType = UNSET
    context: Context | UnsetType = UNSET
    timestamp: Timestamp | UnsetType = UNSET
    stored: Timestamp | UnsetType = UNSET
    authority: Actor | UnsetType = UNSET
    version: Version | UnsetType = UNSET
    attachments: list[Attachment] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _check_context(self.context, self.object)
        authority = self.authority
        if authority is not UNSET and authority.objectType == "Group" and len(authority.member or ()) != 2:
            raise ValueError("an `authority` that is a Group has exactly two members")
        if self.verb.id == VOIDED and self.object.objectType != "StatementRef":
            raise ValueError("the `object` of a voiding statement must be a StatementRef")
        if self.timestamp is not UNSET and not is_plainly_past(self.timestamp):
            moment = check_time(self.timestamp)
            if moment and not EARLIEST <= moment < datetime.now(UTC) + timedelta(days=1):
                raise ValueError("`timestamp` must lie between 1990 and tomorrow")


VOIDED: Final = "http://adlnet.gov/expapi/verbs/voided"


def _check_context(context: Context | UnsetType, target: Target) -> None:
    if context is UNSET or target.objectType == "Activity":
        return
    for name in ("revision", "platform"):
        if getattr(context, name) is not UNSET:
            raise ValueError(f"`context.{name}` is only for statements about an Activity")


_decode_statement: Final = msgspec.json.Decoder(Statement, dec_hook=read_form).decode
_decode_actor: Final = msgspec.json.Decoder(Actor, dec_hook=read_form).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def _read(raw: bytes | msgspec.Raw) -> Statement:
    statement = _decode_statement(raw)
    given = (
        3
        + (statement.id is not UNSET)
        + (statement.result is not UNSET)
        + (statement.context is not UNSET)
        + (statement.timestamp is not UNSET)
        + (statement.stored is not UNSET)
        + (statement.authority is not UNSET)
        + (statement.version is not UNSET)
        + (statement.attachments is not UNSET)
    )
    if count_members(raw) != given:
        raise msgspec.ValidationError(f"Object has `{repeated_member(raw)}` twice")
    return statement


def read_statement(raw: bytes | msgspec.Raw) -> Statement:
    """The statement in these bytes.

    Raises:
        InvalidStatement: with a reason that names the property.
    """
    try:
        return _read(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidStatement(_reason(error)) from None


def read_actor(raw: bytes) -> Actor:
    """The agent or group in these bytes. Raises InvalidStatement."""
    try:
        return _decode_actor(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidStatement(_reason(error)) from None


def read_body(body: bytes) -> tuple[list[bytes], list[Statement]]:
    """The statements of a request's body, one or a list: the bytes of each, and what they say.

    Raises:
        InvalidStatement: the reason names the statement by its place, and the property.
    """
    is_list = body.lstrip(b" \t\r\n").startswith(b"[")
    try:
        raws = [bytes(raw) for raw in _decode_list(body)] if is_list else [body.strip(b" \t\r\n")]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidStatement(_reason(error)) from None
    statements = []
    for place, raw in enumerate(raws):
        try:
            statements.append(_read(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            where = f"Statement {place + 1} of {len(raws)}: " if is_list else ""
            raise InvalidStatement(where + _reason(error)) from None
    return raws, statements


def _reason(error: Exception) -> str:
    """What is wrong, with the path of the property, and without the value: it may name a learner."""
    if isinstance(error, UnicodeDecodeError):
        return "The body is not UTF-8."
    if isinstance(error, RecursionError):
        return "The statement is nested too deeply."
    text = str(error)
    text = text.replace(" - at `$.", " - at `").replace(" - at `$`", "")
    text = re.sub(r"Invalid enum value '.*'", "Invalid value", text, flags=re.DOTALL)
    return f"{text[0].upper()}{text[1:]}."
