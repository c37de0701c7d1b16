"""Exactly one SELECT, over listed tables and functions.

Functions and forbidden words are looked for among the words themselves, without a grammar: whatever name stands before
a parenthesis must be on the list. Tables need a grammar, which is sqlglot's: a name after FROM is a table unless a WITH
that reaches there defines it. What sqlglot cannot read is refused, with the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NoReturn

from schoolhouse.analytics.scoped_sql.identifiers import check_identifiers
from schoolhouse.analytics.scoped_sql.lexing import Question, Word, cut, place_of, refuse
from schoolhouse.analytics.scoped_sql.scopes import READABLE
from schoolhouse.errors import QuestionRefused

# Words that may stand before a parenthesis and call nothing.
_BEFORE_PARENTHESIS: Final = frozenset(
    """
    all and anti any apply array as asc asof between by case columns cross cube default desc distinct else end
    except exists fill filter final first from full global group grouping having ignore ilike in inner interpolate
    intersect interval into is join last left like limit materialized not nulls offset on or order outer over
    partition paste prewhere qualify range replace respect right rollup rows sample select semi sets then ties
    totals union using values when where window with within
    """.split()  # noqa: SIM905 - sixty words read better this way
)
_TABLE_FUNCTIONS: Final = frozenset({"numbers", "generateseries", "generate_series"})
_TAKE_FUNCTION_NAMES: Final = frozenset({"arrayreduce", "arrayreduceinranges", "initializeaggregation"})
_COMBINATORS: Final = re.compile(
    r"(?:If|Array|Map|SimpleState|State|Merge|MergeState|ForEach|Distinct|OrDefault|OrNull|Resample|ArgMin|ArgMax|Tuple)$"
)
_FORBIDDEN: Final = {
    "settings": "The limits of a question cannot be changed.",
    "into": "A question answers here; it writes nowhere.",
    "outfile": "A question answers here; it writes nowhere.",
    "recursive": "Recursive questions are not allowed.",
    "explain": "Only SELECT is allowed.",
    "describe": "Only SELECT is allowed.",
    "show": "Only SELECT is allowed.",
}
_FUNCTIONS_HINT: Final = "docs/custom-sql.md says which are."
# What the engine would go on to read after: the word that we add, which names the format of the answer.
_UNFINISHED: Final = frozenset([*",.([+-*/%=<>?:", "==", "!=", "<>", "<=", ">=", "<=>", "||", "::", "->"])
_SYSTEM: Final = frozenset({"system", "information_schema"})


def check(text: str, *, database: str = "", sees_identifiers: bool = True) -> Question:
    """The question, when it may be asked.

    Args:
        text: what somebody wrote.
        database: the warehouse's database, by which its tables may be qualified.
        sees_identifiers: whether learners' identifiers may be in the answer.

    Raises:
        QuestionRefused: it may not; with the reason in plain words and the place.
    """
    question = cut(text)
    _check_words(text, question)
    tree = _parse(text, question)
    _check_tables(text, question, tree, database)
    if not sees_identifiers:
        check_identifiers(text, question)
    return question


@cache
def allowed_functions() -> frozenset[str]:
    """The functions of `functions.txt`, in lower case."""
    lines = files(__package__ or "").joinpath("functions.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(name.lower() for line in lines if not line.startswith("#") for name in line.split())


def is_allowed_function(name: str) -> bool:
    """Whether custom SQL may call it; combinators of aggregate functions are looked through."""
    allowed = allowed_functions()
    while name.lower() not in allowed:
        shorter = _COMBINATORS.sub("", name)
        if shorter == name or not shorter:
            return False
        name = shorter
    return True


def _check_words(text: str, question: Question) -> None:
    words = question.words
    first = next((word for word in words if word.text != "("), words[0])
    if not first.is_keyword("select", "with"):
        refuse(text, first.start, "A question starts with SELECT or WITH.")
    last = words[-1]
    if last.text in _UNFINISHED or last.is_keyword("as", "by", "and", "or", "not"):
        refuse(text, last.start, f"The question cannot end with {last.text}.")
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else None
        calls = following is not None and following.kind == "sign" and following.text == "("
        if word.kind == "name" and word.text.lower() in _FORBIDDEN:
            refuse(text, word.start, f"{word.text.upper()} cannot stand here.", hint=_FORBIDDEN[word.text.lower()])
        if word.is_name and word.text.startswith("_"):
            refuse(text, word.start, f"{word.text} is internal: no name starts with an underscore here.")
        if word.is_keyword("format") and not calls:
            hint = "Leave it out: the format of the answer is chosen beside the question."
            refuse(text, word.start, "FORMAT cannot stand here.", hint=hint)
        if word.is_name and word.text.lower() in _SYSTEM and following is not None and following.text == ".":
            refuse(text, word.start, f"The tables of {word.text} are not readable here.", hint=_tables_hint())
        if word.is_name and calls:
            _check_call(text, words, index)


def _check_call(text: str, words: Sequence[Word], index: int) -> None:
    word = words[index]
    if word.is_keyword("in"):  # between two values; before them it would be a function that takes tables
        before = next((each for each in reversed(words[:index]) if not each.is_keyword("not", "global")), None)
        if before is None or before.is_keyword(*_BEFORE_PARENTHESIS) or before.text in _UNFINISHED:
            refuse(text, word.start, "IN stands between a value and a list.")
        return
    if word.is_keyword(*_BEFORE_PARENTHESIS):
        return
    if word.text.lower() in _TAKE_FUNCTION_NAMES:
        _check_named_function(text, words, index)
    if not is_allowed_function(word.text):
        refuse(
            text,
            word.start,
            f"The function {word.text} is not allowed here.",
            hint=_FUNCTIONS_HINT,
        )


def _check_named_function(text: str, words: Sequence[Word], index: int) -> None:
    """`arrayReduce('sum', …)` calls a function that a string names."""
    named = words[index + 2] if index + 2 < len(words) else words[index]
    match = re.fullmatch(r"'(\w+)(?:\([^'\\]*\))?'", text[named.start : named.end])
    if named.kind != "string" or not match or not is_allowed_function(match[1]):
        hint = "Write its name as a string, such as 'sum'."
        refuse(text, named.start, f"{words[index].text} needs a function that is allowed here.", hint=hint)


def _parse(text: str, question: Question) -> object:
    """sqlglot's tree of the question: one SELECT, or several that UNION, INTERSECT or EXCEPT join."""
    import sqlglot
    from sqlglot import exp

    try:
        trees = sqlglot.parse(question.with_blank_strings(), read="clickhouse")
    except sqlglot.errors.SqlglotError as error:
        _refuse_unreadable(text, error)
    except RecursionError:
        raise QuestionRefused("The question is nested too deeply.") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise QuestionRefused("A question is exactly one SELECT.", place=(1, 1))
    forbidden = (
        exp.Command,
        exp.DDL,
        exp.DML,
        exp.Into,
        exp.Set,
        exp.Use,
        exp.Kill,
        exp.Describe,
        exp.Pragma,
        exp.Placeholder,
    )
    for node in trees[0].walk():
        if isinstance(node, forbidden) and not isinstance(node, exp.Query):
            raise QuestionRefused("A question is exactly one SELECT.", place=(1, 1))
    return trees[0]


def _refuse_unreadable(text: str, error: Exception) -> NoReturn:
    facts = getattr(error, "errors", None) or [{}]
    line, column = facts[0].get("line") or 0, facts[0].get("col") or 0
    near = str(facts[0].get("highlight") or "").strip()
    if not line:
        raise QuestionRefused("The question cannot be read.", hint="Look for a missing comma or parenthesis.") from None
    # sqlglot gives the end of the word that it did not expect.
    place = (line, max(1, column - len(near) + 1))
    raise QuestionRefused(
        f"The question cannot be read from {near!r} on." if near else "The question cannot be read from here on.",
        hint="Look for a missing comma, parenthesis or keyword just before.",
        place=place,
    ) from None


def _check_tables(text: str, question: Question, tree: object, database: str) -> None:
    for name, qualifier, is_call in _tables(tree, frozenset()):
        position = _find(question, name)
        if is_call:
            if name.lower() not in _TABLE_FUNCTIONS:
                refuse(text, position, f"The table function {name} is not allowed here.", hint=_tables_hint())
        elif qualifier not in {"", database} or name not in READABLE:
            shown = f"{qualifier}.{name}" if qualifier else name
            refuse(text, position, f"There is no table {shown} here.", hint=_tables_hint())
    _check_tables_after_in(text, question, tree, database)


def _tables(node: object, known: frozenset[str]) -> Iterator[tuple[str, str, bool]]:
    """Every table below a node as (name, qualifier, whether it is called); `known` are the WITH names that reach it."""
    from sqlglot import exp

    assert isinstance(node, exp.Expression)  # noqa: S101 - for the types
    given = node.args.get("with_") or node.args.get("with")
    if isinstance(given, exp.With):
        for entry in given.expressions:
            yield from _tables(entry.this, known)  # its own name does not reach inside: there it means the table
            if isinstance(entry, exp.CTE) and isinstance(entry.this, exp.Query) and not entry.args.get("scalar"):
                known |= {entry.alias}
    if isinstance(node, exp.Table):
        if isinstance(node.this, exp.Func):
            yield _called_name(node.this), node.db, True
        elif node.db or node.catalog or node.name not in known:
            yield node.name, ".".join(part for part in (node.catalog, node.db) if part), False
    for child in node.iter_expressions():
        if child is not given:
            yield from _tables(child, known)


def _called_name(node: object) -> str:
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return str(node.this)
    return node.sql_name() if isinstance(node, exp.Func) else ""


def _check_tables_after_in(text: str, question: Question, tree: object, database: str) -> None:
    """`x IN name` reads a table too."""
    from sqlglot import exp

    assert isinstance(tree, exp.Expression)  # noqa: S101
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    words = question.words
    for word, following, after in zip(words, words[1:], [*words[2:], None], strict=False):
        if not word.is_keyword("in") or not following.is_name:
            continue
        calls = after is not None and after.text in {"(", "["}
        if not calls and following.text not in named and following.text not in READABLE:
            hint = "After IN stands a list in parentheses, or a question in parentheses."
            refuse(text, following.start, f"IN cannot look into {following.text}.", hint=hint)
        if after is not None and after.text == "." and following.text != database:
            refuse(text, following.start, f"IN cannot look into {following.text}.")


def _find(question: Question, name: str) -> int:
    """Where a table is named: after FROM, JOIN or a comma, if it can be told; else where the name stands first."""
    places = [index for index, word in enumerate(question.words) if word.is_name and word.text.lower() == name.lower()]
    for index in places:
        before = question.words[index - 1] if index else None
        if before is not None and before.is_keyword("from", "join"):
            return question.words[index].start
    return question.words[places[0]].start if places else 0


def _tables_hint() -> str:
    return f"The tables are {', '.join(READABLE)}."


__all__ = ["allowed_functions", "check", "is_allowed_function", "place_of"]
