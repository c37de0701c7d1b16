"""Whether a message that could not be read names a learner.

A message that says whose it is, is that learner's and nobody else's, even where it is broken behind. One that does not
say so may be anything; it names a learner who is a whole text value of it or, where it is no JSON, a whole word. A part
of a longer identifier never counts, and JSON's escapes count as what they stand for.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from schoolhouse.lake.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final = frozenset(topic.learner_id for topic in TOPICS.values())
# The learner's field in a message that is no JSON, with a text or number that ends; with nothing where that is not so.
_OWNER: Final = re.compile(
    rb'"(?:%s)"\s*:\s*((?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)(?=\s*(?:[,}\]]|\Z)))?'
    % b"|".join(map(str.encode, sorted(_FIELDS))),
    re.DOTALL,
)
_SHORT: Final = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


class Naming:
    """Tells of messages whether they name one learner."""

    def __init__(self, learner: str) -> None:
        self.learner = learner
        name = _in_any_form(learner)
        self._word = re.compile(
            b"|".join(
                (
                    rb'"' + name + rb'"(?!\s*:)',  # a value, not the name of a field
                    rb'"' + name + rb"(?=\s*(?:[,}\]]|\Z))",  # the closing quote is missing
                    rb'"\s*:\s*' + name + rb'"',  # the opening quote is missing
                    rb"(?<![^\s{\[,:=])" + name + rb"(?![^\s}\],;])",  # no quotes
                )
            )
        )

    def among(self, messages: pl.Series) -> pl.Series:
        """Which of the messages name the learner."""
        return pl.Series(messages.name, [self.is_in(one or b"") for one in messages], pl.Boolean)

    def is_in(self, message: bytes) -> bool:
        """Whether the message names the learner."""
        try:
            value = json.loads(message, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return self._is_in_broken(message)
        owners = [one for name, one in value if name in _FIELDS] if isinstance(value, _Pairs) else []
        if any(isinstance(one, str) and one for one in owners):
            return self.learner in owners
        return self.learner in _texts(value)

    def _is_in_broken(self, message: bytes) -> bool:
        owners = [_decoded(found) for found in _OWNER.findall(message)]
        if owners and all(owners):
            return self.learner in owners
        return self._word.search(message) is not None


class _Pairs(list[tuple[str, Any]]):
    """The fields of an object, also those that stand twice."""


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a value."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Pairs):
            waiting += [inner for _, inner in one]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            yield one


def _decoded(found: bytes) -> str:
    """A JSON text or number as the learner that it names; empty where it is none."""
    try:
        return str(json.loads(found, strict=False, parse_int=str, parse_float=str))
    except ValueError:
        return ""


def _in_any_form(text: str) -> bytes:
    """A pattern of the text with each character as it is, or in any of JSON's escapes."""
    return b"".join(_character(one) for one in text)


def _character(one: str) -> bytes:
    units = one.encode("utf-16-be", "surrogatepass")
    escaped = b"".join(rb"\\u(?i:%04x)" % int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    forms = [re.escape(one.encode("utf-8", "surrogatepass")), escaped]
    if one in _SHORT:
        forms.append(rb"\\" + re.escape(_SHORT[one].encode()))
    return b"(?:" + b"|".join(forms) + b")"
