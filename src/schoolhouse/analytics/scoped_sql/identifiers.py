"""Learner identifiers, for people who may count learners and not see who they are.

They may count them (`uniq(user_id)`, `count(DISTINCT user_id)`, and -If) and group by them. Everything else that names
an identifying column is refused, and so is `*`, which would show them all. Comparing is refused too: `user_id = 'kim'`
asks whether Kim is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from schoolhouse.analytics.scoped_sql.lexing import Question, Word, refuse

# Columns that show who somebody is: the learner, the enrolment and the keys that platforms give to assignments, the
# statement with its actor, and the hashes of these, which would tell whether a guess is right.
IDENTIFYING: Final = frozenset(
    """
    assignment_id assignment_key attribution_hash enrollment_id entry event_digest event_hash raw_event_hash
    registration statement user_id
    """.split()  # noqa: SIM905 - eleven names read better this way
)
_COUNTING: Final = re.compile(
    r"(?:uniq|uniqExact|uniqCombined|uniqCombined64|uniqHLL12)(?:If)?|countDistinct(?:If)?", re.IGNORECASE
)
# What goes on after a list of groups or of partitions, and compares nothing.
_AFTER_GROUPING: Final = frozenset(
    """
    except fetch groups having intersect limit offset order qualify range rows union window with
    """.split()  # noqa: SIM905 - a dozen words read better this way
)
_HINT: Final = "Count learners with uniq(user_id), or group by user_id. Name the columns you want instead of *."


def check_identifiers(text: str, question: Question) -> None:
    """Raise QuestionRefused, with the place, where an identifier could be seen or compared."""
    words = question.words
    for index, word in enumerate(words):
        if _names_somebody(word) and not _is_counted(words, index):
            refuse(text, word.start, f"{word.text} shows who somebody is, which you may not see.", hint=_HINT)
        if word.kind == "sign" and word.text == "*" and _is_every_column(words, index):
            refuse(text, word.start, "* shows who somebody is, which you may not see.", hint=_HINT)
        if word.is_keyword("columns", "natural"):
            refuse(text, word.start, f"{word.text.upper()} cannot stand here.", hint=_HINT)


def _names_somebody(word: Word) -> bool:
    """Whether it is such a column, or in quotes a part of one: `"user_id.size"`."""
    return word.is_name and not IDENTIFYING.isdisjoint(word.text.lower().split("."))


def _is_counted(words: Sequence[Word], index: int) -> bool:
    """Whether a `user_id` is counted, or all that a group or partition begins with.

    What may follow is listed: a comparison of any kind there (`GROUP BY user_id BETWEEN 'kim' AND 'kim'`) asks for Kim.
    """
    if words[index].text.lower() != "user_id":
        return False
    first = index
    if index >= 2 and words[index - 1].text == "." and words[index - 2].is_name:
        first = index - 2
    before = [words[place] if place >= 0 else None for place in range(first - 3, first)]
    following = words[index + 1] if index + 1 < len(words) else None
    sign = following.text if following and following.kind == "sign" else ""
    if _is(before[2], "("):
        return before[1] is not None and bool(_COUNTING.fullmatch(before[1].text)) and sign in {")", ","}
    if _is(before[2], "distinct"):
        return _is(before[1], "(") and _is(before[0], "count") and sign == ")"
    if not _is(before[2], "by") or not (_is(before[1], "group") or _is(before[1], "partition")):
        return False
    return following is None or sign in {")", ","} or following.is_keyword(*_AFTER_GROUPING)


def _is(word: Word | None, text: str) -> bool:
    return word is not None and word.kind in {"name", "sign"} and word.text.lower() == text


def _is_every_column(words: Sequence[Word], index: int) -> bool:
    """Whether a `*` means columns: anything but a product, and `count(*)`."""
    before = words[index - 1] if index else None
    after = words[index + 1] if index + 1 < len(words) else None
    if before is None or after is None or before.text == ".":
        return True
    if before.text == "(" and after.text == ")":
        return not (index >= 2 and words[index - 2].is_keyword("count"))
    is_value_before = before.kind in {"number", "string", "quoted"} or before.text in {")", "]"}
    is_value_before = is_value_before or (before.kind == "name" and not before.is_keyword(*_KEYWORDS))
    is_value_after = after.kind in {"number", "string", "quoted"} or after.text in {"(", "[", "-", "+"}
    is_value_after = is_value_after or (after.kind == "name" and not after.is_keyword(*_KEYWORDS))
    return not (is_value_before and is_value_after)


_KEYWORDS: Final = frozenset(
    """
    all apply array as by columns cross distinct else except final from group having ilike inner intersect join
    left like limit offset on order prewhere qualify replace right sample select then top union when where window
    with
    """.split()  # noqa: SIM905 - sixty words read better this way
)
