"""The error tree is what its docstring draws."""

from __future__ import annotations

import re

import pytest

from schoolhouse import errors
from schoolhouse.errors import SchoolhouseError, SettingsError, UsageError, WarehouseError

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SchoolhouseError)]


def _drawn() -> dict[str, str]:
    """Each class of the drawing, with its parent."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"[ │├└─]*([A-Z]\w+)(?:  |$)", line):
            depth, name = match.start(1), match[1]
            above = [(d, n) for d, n in above if d < depth]
            parents[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))
    return parents


def test_the_drawn_tree_is_the_tree() -> None:
    assert _drawn() == {kind.__name__: kind.__base__.__name__ for kind in CLASSES if kind.__base__}


def test_codes_are_distinct_and_for_machines() -> None:
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]*", code) for code in codes)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_says_what_a_caller_needs(kind: type[SchoolhouseError]) -> None:
    error = kind("The thing broke.", hint="Mend it.")
    assert str(error) == "The thing broke. Mend it."
    assert (error.message, error.hint) == ("The thing broke.", "Mend it.")
    assert 400 <= error.http_status < 600
    assert error.exit_code == (2 if issubclass(kind, UsageError) else 1)
    assert kind.__doc__


def test_an_error_without_a_hint_is_its_message() -> None:
    assert str(SettingsError("X is wrong.")) == "X is wrong."
    assert WarehouseError("No.", engine_code=60).engine_code == 60
