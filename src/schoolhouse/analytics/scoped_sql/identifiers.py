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

# Columns that show who somebody is; `statement` holds the whole statement with its actor.
IDENTIFYING: Final = frozenset({"user_id", "statement"})
_COUNTING: Final = re.compile(
    r"(?:uniq|uniqExact|uniqCombined|uniqCombined64|uniqHLL12)(?:If)?|countDistinct(?:If)?", re.IGNORECASE
)
_HINT: Final = "Count learners with uniq(user_id), or group by user_id. Name the columns you want instead of *."


def check_identifiers(text: str, question: Question) -> None:
    """Raise QuestionRefused, with the place, where an identifier could be seen or compared."""
    words = question.words
    for index, word in enumerate(words):
        if word.is_name and word.text.lower() in IDENTIFYING and not _is_counted(words, index):
            refuse(text, word.start, f"{word.text} shows who somebody is, which you may not see.", hint=_HINT)
        if word.kind == "sign" and word.text == "*" and _is_every_column(words, index):
            refuse(text, word.start, "* shows who somebody is, which you may not see.", hint=_HINT)
        if word.is_keyword("columns", "natural"):
            refuse(text, word.start, f"{word.text.upper()} cannot stand here.", hint=_HINT)


def _is_counted(words: Sequence[Word], index: int) -> bool:
    if words[index].text.lower() != "user_id":
        return False
    first = index
    if index >= 2 and words[index - 1].text == "." and words[index - 2].is_name:
        first = index - 2
    texts = [words[place].text if place >= 0 else "" for place in range(first - 3, first)]
    following = words[index + 1].text if index + 1 < len(words) else ""
    if texts[2] == "(" and _COUNTING.fullmatch(texts[1]):
        return following in {")", ","}
    if texts[2].lower() == "distinct" and texts[1] == "(" and texts[0].lower() == "count":
        return following == ")"
    if texts[2].lower() == "by" and texts[1].lower() in {"group", "partition"}:
        return following.lower() not in {"=", "==", "!=", "<>", "<", ">", "<=", ">=", "like", "ilike", "in", "not"}
    return False


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
