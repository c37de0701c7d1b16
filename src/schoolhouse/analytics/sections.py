"""Sections: who they are, their addresses, and the counted list of them.

A section is (platform, section_id). Its address, the slug, is `<section_id>@<platform host>`: a number alone may belong
to several platforms. Where two platforms with one number also share a host, a short hash of the platform tells them
apart.

Counting every section reads the keys of all events (half a second for 3 million), so the list is kept for a while:
until something is loaded, and at least for twenty times what counting cost, so that counting takes no more than a
twentieth of the machine however often people look.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TypeVar

from schoolhouse.analytics.readers import Readers
from schoolhouse.errors import NotFound
from schoolhouse.warehouse.statements import statement

SQL: Final = "schoolhouse.analytics.sql"
SortKey = Literal["title", "platform", "events", "learners", "newest_event"]
SortOrder = Literal["asc", "desc"]

_MAX_ID: Final = 2**64 - 1
_MAX_DIGITS: Final = 20
_LIFE_FACTOR: Final = 20
_MIN_LIFE_SECONDS: Final = 1.0
_MAX_LIFE_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Section:
    """One section. `key` is its number, or the course run's key; `title` may be empty."""

    platform: str
    section_id: int
    key: str
    title: str
    project_id: int | None
    slug: str = ""

    @property
    def name(self) -> str:
        """What people call it: the title, else the key, else the number."""
        if self.section_id == 0:
            return "Events without a section"
        return self.title or (f"Section {self.section_id}" if self.key in ("", str(self.section_id)) else self.key)

    @property
    def host(self) -> str:
        """The platform without its scheme and path."""
        return host_of(self.platform)


class _Addressed(Protocol):
    @property
    def slug(self) -> str: ...


Place = TypeVar("Place", bound=_Addressed)


@dataclass(frozen=True)
class CountedSection:
    """A section with how much happened in it; times UTC."""

    section: Section
    events: int
    learners: int
    newest_event: datetime | None


@dataclass(frozen=True)
class SectionListing:
    """All sections, counted at `counted_at`, which took `seconds`."""

    sections: tuple[CountedSection, ...]
    counted_at: datetime
    seconds: float


@dataclass(frozen=True)
class SectionFilter:
    """Which sections to show, in which order, which page of them (from 1)."""

    text: str = ""
    sort: SortKey = "newest_event"
    order: SortOrder = "desc"
    page: int = 1
    per_page: int = 50


@dataclass(frozen=True)
class SectionPage:
    """One page of the list: `total` sections match, of `all_sections`."""

    sections: tuple[CountedSection, ...]
    total: int
    all_sections: int
    page: int
    pages: int


def host_of(platform: str) -> str:
    """The host (and port) of a platform's address, or the whole of what is no address."""
    return re.sub(r"^[a-z][a-z0-9+.-]*://", "", platform, flags=re.IGNORECASE).split("/")[0] or "unknown"


def with_slugs(sections: Iterable[Section]) -> list[Section]:
    """The same sections with their addresses, which need to know of one another."""
    sections = list(sections)
    holders = Counter((section.section_id, _slug_host(section.platform)) for section in sections)
    return [
        replace(section, slug=_slug(section, is_alone=holders[section.section_id, _slug_host(section.platform)] == 1))
        for section in sections
    ]


def _slug_host(platform: str) -> str:
    return re.sub(r"[^A-Za-z0-9.:_-]+", "-", host_of(platform))


def platform_slug(platform: str, *, is_alone: bool) -> str:
    """A platform in an address: its host, and a short hash where others share the host."""
    host = _slug_host(platform)
    return host if is_alone else f"{host}~{hashlib.sha256(platform.encode()).hexdigest()[:6]}"


def _slug(section: Section, *, is_alone: bool) -> str:
    return f"{section.section_id}@{platform_slug(section.platform, is_alone=is_alone)}"


def find_section(readers: Readers, slug: str, *, who: str) -> Section:
    """The section at an address: a slug, a number or a key that only one platform has.

    Raises:
        NotFound: no section has this address, or several share it (then the hint lists theirs).
    """
    return only_one(sections_at(readers, slug, who=who), "section", slug)


def sections_at(readers: Readers, slug: str, *, who: str) -> list[Section]:
    """The sections that an address may mean: several where platforms share a bare number or a key."""
    number, _, host = slug.partition("@")
    if not is_id(number):
        answer = readers.ask(statement("find_sections_by_key", SQL), {"key": slug}, who=who, why="find section")
        return with_slugs(_section(row) for row in answer.dicts())
    values = {"section_id": int(number)}
    answer = readers.ask(statement("find_sections_by_id", SQL), values, who=who, why="find section")
    found = with_slugs(_section(row) for row in answer.dicts())
    if not host:
        return found
    exact = [section for section in found if section.slug == slug]
    return exact or [section for section in found if _slug_host(section.platform) == host]


def is_id(text: str) -> bool:
    """Whether it can be the number of a section; nobody converts thousands of digits to find out."""
    return len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() and int(text) <= _MAX_ID


def only_one(found: Sequence[Place], kind: str, slug: str) -> Place:
    """The one section or project at an address. Raises NotFound when there is none, or several."""
    if not found:
        raise NotFound(f"There is no {kind} {slug}.", hint=f"A {kind} is known once a statement of it has arrived.")
    if len(found) > 1:
        slugs = sorted(place.slug for place in found)
        raise NotFound(f"Several platforms have a {kind} {slug}.", hint=f"Choose one: {', '.join(slugs)}.")
    return found[0]


class SectionDirectory:
    """The counted list of sections, kept while it is fresh. One caller counts; others wait for its answer."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._lock = threading.Lock()
        self._kept: SectionListing | None = None
        self._kept_since = 0.0
        self._newest_load = 0

    def listing(self, *, who: str) -> SectionListing:
        """All sections with their counts."""
        with self._lock:
            age = time.monotonic() - self._kept_since
            if self._kept and age < max(_MIN_LIFE_SECONDS, _LIFE_FACTOR * self._kept.seconds):
                return self._kept
            newest = self._readers.ask(statement("newest_load", SQL), who=who, why="list sections").value()
            if self._kept and newest == self._newest_load and age < _MAX_LIFE_SECONDS:
                return self._kept
            self._kept = self._count(who)
            self._kept_since = time.monotonic()
            self._newest_load = newest
            return self._kept

    def _count(self, who: str) -> SectionListing:
        counted_at = datetime.now(UTC)
        answer = self._readers.ask(statement("list_sections", SQL), who=who, why="list sections")
        rows = answer.dicts()
        sections = with_slugs(_section(row) for row in rows)
        counted = tuple(
            CountedSection(section, row["events"], row["learners"], row["newest_event"])
            for section, row in zip(sections, rows, strict=True)
        )
        return SectionListing(counted, counted_at, answer.seconds)


def page_of(listing: SectionListing, wanted: SectionFilter) -> SectionPage:
    """The wanted page; a page past the end is the last one."""
    words = wanted.text.casefold().split()
    found = [each for each in listing.sections if _matches(each.section, words)]
    found = _sorted(found, wanted.sort, is_descending=wanted.order == "desc")
    pages = max(1, -(-len(found) // wanted.per_page))
    page = min(max(1, wanted.page), pages)
    first = (page - 1) * wanted.per_page
    return SectionPage(
        sections=tuple(found[first : first + wanted.per_page]),
        total=len(found),
        all_sections=len(listing.sections),
        page=page,
        pages=pages,
    )


def _matches(section: Section, words: Sequence[str]) -> bool:
    text = f"{section.name} {section.key} {section.section_id} {section.platform}".casefold()
    return all(word in text for word in words)


def _sorted(sections: list[CountedSection], sort: SortKey, *, is_descending: bool) -> list[CountedSection]:
    """By `sort`, then by name and platform; sections without events are last by time, whichever the order."""
    sections = sorted(sections, key=lambda each: (each.section.name.casefold(), each.section.slug))
    if sort == "newest_event":
        with_events = [each for each in sections if each.newest_event]
        with_events.sort(key=lambda each: each.newest_event or datetime.min, reverse=is_descending)  # noqa: DTZ901
        return with_events + [each for each in sections if not each.newest_event]
    keys: dict[str, Any] = {
        "title": lambda each: each.section.name.casefold(),
        "platform": lambda each: each.section.host,
        "events": lambda each: each.events,
        "learners": lambda each: each.learners,
    }
    return sorted(sections, key=keys[sort], reverse=is_descending)


def _section(row: dict[str, Any]) -> Section:
    return Section(row["platform"], row["section_id"], row["key"], row["title"], row["project_id"])
