"""Statements that say the same are equal however they are written; others are not."""

import json

import pytest

from schoolhouse.collect.equality import fingerprint, say_the_same
from schoolhouse.collect.extensions import DEEPEST

from .statements import AGENT, FULL, SMALL, as_json, changed

OTHER = {"mbox": "mailto:other@h.example"}
SUB = {"objectType": "SubStatement", "actor": AGENT, "verb": SMALL["verb"], "object": SMALL["object"]}


def test_a_statement_says_the_same_as_itself_in_any_order_and_spacing():
    assert say_the_same(as_json(FULL), json.dumps(FULL, sort_keys=True, indent=3).encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", FULL["id"].upper()),
        ("stored", "2026-08-01T12:00:00Z"),
        ("authority", OTHER),
        ("version", "1.0.0"),
        ("timestamp", ...),
        ("timestamp", "2026-08-01T10:00:00.123-02:00"),
        ("verb.display", {"fr": "terminé"}),
        ("object.definition", ...),
        ("object.objectType", ...),
        ("actor.objectType", ...),
        ("result.score.max", 2.0),
        ("context.registration", FULL["context"]["registration"].upper()),
        ("context.contextActivities.parent", [{"objectType": "Activity", "id": "https://h.example/page/1"}]),
    ],
)
def test_what_a_store_may_add_or_write_otherwise_makes_no_difference(path, value):
    assert say_the_same(as_json(FULL), as_json(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("actor", OTHER),
        ("verb.id", "http://h.example/other"),
        ("object.id", "https://h.example/other"),
        ("timestamp", "2026-08-01T12:00:00.124Z"),
        ("result.success", ...),
        ("result.score.raw", True),
        ("result.extensions", {"http://h.example/x": 1}),
        ("context.contextActivities.other", {"id": "https://h.example/other"}),
        ("context.language", "de"),
    ],
)
def test_what_was_done_makes_a_difference(path, value):
    assert not say_the_same(as_json(FULL), as_json(changed(path, value)))


def test_members_of_a_group_are_equal_in_any_order():
    groups = [{"objectType": "Group", "member": members} for members in ([AGENT, OTHER], [OTHER, AGENT], [OTHER])]
    one, turned, fewer = (as_json({**SMALL, "actor": group}) for group in groups)
    assert say_the_same(one, turned)
    assert not say_the_same(one, fewer)


def test_objects_of_every_kind_are_compared():
    kinds = [AGENT, {"objectType": "Group", "member": [AGENT]}, {"objectType": "StatementRef", "id": FULL["id"]}, SUB]
    written = [as_json({**SMALL, "object": kind}) for kind in kinds]
    for n, one in enumerate(written):
        assert [say_the_same(one, other) for other in written] == [n == m for m in range(len(kinds))]
    upper = {"objectType": "StatementRef", "id": FULL["id"].upper()}
    assert say_the_same(written[2], as_json({**SMALL, "object": upper}))
    assert not say_the_same(written[3], as_json({**SMALL, "object": changed("verb.id", "http://h.example/b", SUB)}))


def _nested(levels):
    value = b"[" * levels + b"]" * levels
    return b'{"context":{"extensions":{"http://h.example/x":%s}},%s' % (value, as_json(SMALL)[1:])


def test_the_deepest_that_is_accepted_is_compared_like_any_other():
    one, spaced = _nested(DEEPEST), _nested(DEEPEST).replace(b",", b" ,")
    assert say_the_same(one, spaced)
    assert fingerprint(one).matches(fingerprint(spaced))
    assert not say_the_same(one, _nested(DEEPEST - 1))


@pytest.mark.parametrize(
    "stored",
    [
        _nested(800),
        _nested(100_000),
        as_json({**SMALL, "object": {"objectType": ["Activity"]}}),
        as_json(SMALL)[:-1] + b',"n":%s}' % (b"9" * 5000),
    ],
)
def test_what_another_route_has_stored_is_another_statement_where_it_cannot_be_compared(stored):
    assert not say_the_same(stored, as_json(SMALL))
