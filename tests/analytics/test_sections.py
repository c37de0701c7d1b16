"""Who sections are, their addresses, and the counted list."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schoolhouse.analytics.readers import Readers
from schoolhouse.analytics.sections import (
    CountedSection,
    Section,
    SectionDirectory,
    SectionFilter,
    SectionListing,
    find_section,
    page_of,
    sections_at,
    with_slugs,
)
from schoolhouse.errors import NotFound, WarehouseNotReady
from schoolhouse.warehouse.connection import Warehouse
from tests.given import HOST, load, name_section, page_viewed, small_campus


@pytest.fixture
def readers(readers: Readers, tables: Warehouse) -> Readers:
    """On a small campus, which the test may change."""
    load(tables, small_campus())
    return readers


def _section(section_id: int, platform: str, *, title: str = "") -> Section:
    return Section(platform, section_id, str(section_id), title, None)


def _listing(*rows: tuple[str, int, datetime | None]) -> SectionListing:
    sections = with_slugs(_section(n, HOST, title=title) for n, (title, _, _) in enumerate(rows, 1))
    counted = tuple(
        CountedSection(section, events, events, newest)
        for section, (_, events, newest) in zip(sections, rows, strict=True)
    )
    return SectionListing(counted, datetime.now(UTC), 0.1)


def test_a_slug_is_the_number_and_the_host() -> None:
    [section] = with_slugs([_section(42, "https://torus.example:8443/path")])
    assert section.slug == "42@torus.example:8443"


def test_platforms_that_share_number_and_host_have_different_slugs() -> None:
    slugs = {each.slug for each in with_slugs([_section(42, "https://h.example"), _section(42, "http://h.example")])}
    assert len(slugs) == 2
    assert all(slug.startswith("42@h.example~") for slug in slugs)


@pytest.mark.parametrize("platform", ["", "a b/c", "https://ünï.example/?q=<x>", "mailto:"])
def test_every_platform_makes_a_slug_that_an_address_may_hold(platform: str) -> None:
    [section] = with_slugs([_section(1, platform)])
    assert set(section.slug) <= set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:_-@")


def test_the_list_is_filtered_by_all_words_and_sorted() -> None:
    listing = _listing(("Biology one", 5, None), ("Biology two", 9, None), ("Chemistry", 7, None))
    page = page_of(listing, SectionFilter(text="BIO o", sort="events"))
    assert [each.section.title for each in page.sections] == ["Biology two", "Biology one"]
    assert (page.total, page.all_sections) == (2, 3)


def test_sections_without_events_come_last_in_either_order() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    listing = _listing(("early", 1, early), ("none", 0, None), ("late", 1, late))
    for order, expected in (("asc", ["early", "late", "none"]), ("desc", ["late", "early", "none"])):
        page = page_of(listing, SectionFilter(order=order))  # type: ignore[arg-type]
        assert [each.section.title for each in page.sections] == expected


def test_a_page_past_the_end_is_the_last_one() -> None:
    listing = _listing(*((f"section {n:03}", n, None) for n in range(101)))
    page = page_of(listing, SectionFilter(sort="title", order="asc", page=99, per_page=50))
    assert (page.page, page.pages) == (3, 3)
    assert [each.section.title for each in page.sections] == ["section 100"]


def test_sections_are_counted_with_each_statement_once(readers: Readers) -> None:
    listing = SectionDirectory(readers).listing(who="tests")
    counts = {each.section.slug: (each.events, each.learners) for each in listing.sections}
    assert counts == {
        "42@torus.example": (3, 2),
        "42@other.example": (1, 1),
        "43@torus.example": (200, 20),
        "0@torus.example": (1, 1),
    }


def test_a_named_section_without_events_is_listed(readers: Readers, tables: Warehouse) -> None:
    name_section(tables, 44, title="Announced")
    [announced] = [each for each in SectionDirectory(readers).listing(who="tests").sections if not each.events]
    assert announced.section.name == "Announced"
    assert announced.newest_event is None


def test_the_list_is_counted_again_after_a_load(readers: Readers, tables: Warehouse, monkeypatch) -> None:
    directory = SectionDirectory(readers)
    monkeypatch.setattr("schoolhouse.analytics.sections._MIN_LIFE_SECONDS", 0)
    monkeypatch.setattr("schoolhouse.analytics.sections._LIFE_FACTOR", 0)
    before = directory.listing(who="tests")
    assert directory.listing(who="tests") is before
    load(tables, [page_viewed(99, 1, "2026-04-01T00:00:00Z")])
    after = directory.listing(who="tests")
    assert len(after.sections) == len(before.sections) + 1


def test_a_number_that_one_platform_has_finds_the_section(campus: Readers) -> None:
    assert find_section(campus, "43", who="tests").slug == "43@torus.example"
    assert find_section(campus, "43@", who="tests").slug == "43@torus.example"
    assert find_section(campus, "42@other.example", who="tests").platform == "https://other.example"
    assert find_section(campus, "0", who="tests").name == "Events without a section"


def test_a_number_that_two_platforms_have_is_refused_with_both_addresses(campus: Readers) -> None:
    with pytest.raises(NotFound, match="Several platforms") as refused:
        find_section(campus, "42", who="tests")
    assert "42@other.example, 42@torus.example" in refused.value.hint


@pytest.mark.parametrize("slug", ["44", "43@other.example", "nonsense", "99999999999999999999", "²", "@", "1' OR 1"])
def test_an_address_of_nothing_is_not_found(campus: Readers, slug: str) -> None:
    with pytest.raises(NotFound):
        find_section(campus, slug, who="tests")


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_a_key_finds_its_section(readers: Readers, tables: Warehouse) -> None:
    name_section(tables, 77, key="course-v1:Org+X+1")
    assert find_section(readers, "course-v1:Org+X+1", who="tests").section_id == 77


def test_a_warehouse_without_tables_is_not_ready(readers: Readers, tables: Warehouse) -> None:
    tables.run("DROP TABLE loads SYNC", why="tests")
    with pytest.raises(WarehouseNotReady, match="lacks its tables"):
        SectionDirectory(readers).listing(who="tests")


@pytest.mark.parametrize("slug", ["9" * 5000, "9" * 5000 + "@torus.example", str(2**64), "0" * 21, "٤٢"])
def test_what_is_no_number_of_a_section_is_not_found(campus: Readers, slug: str) -> None:
    assert sections_at(campus, slug, who="tests") == []
