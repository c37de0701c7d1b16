"""What the engine refused, in plain words, with the place in the question."""

from __future__ import annotations

import re
from typing import Final

from schoolhouse.analytics.scoped_sql.lexing import Question, place_of
from schoolhouse.analytics.scoped_sql.scopes import LIMITS
from schoolhouse.errors import QueryError, QueryLimitExceeded, QuestionFailed

_RESULT_TOO_LARGE: Final = 396
_TOO_MANY_BYTES: Final = (
    f"The answer is larger than {LIMITS['max_result_bytes'] // 1_000_000} MB.",
    "Name fewer columns, or group the rows.",
)
_LIMITS_IN_WORDS: Final = {
    _RESULT_TOO_LARGE: (
        f"The answer has more than {LIMITS['max_result_rows']:,} rows.",
        "Group the rows, or end the question with LIMIT.",
    ),
    159: (
        f"The question took longer than {LIMITS['max_execution_time']} seconds.",
        "Ask for less time or fewer events.",
    ),
    241: ("The question needs more memory than one question may use.", "Group by fewer values, or ask for less time."),
    158: ("The question reads more rows than one question may read.", "Ask for less time: WHERE timestamp >= …"),
    307: ("The question reads more bytes than one question may read.", "Name fewer columns, or ask for less time."),
    167: ("The question is nested too deeply.", "Take it apart."),
    168: ("The question is too long.", "Take it apart."),
}
_UNKNOWN_NAME: Final = 47
_UNKNOWN_FUNCTION: Final = 46
_SYNTAX: Final = 62
_NOT_AGGREGATED: Final = 215
_MISSING_TABLE: Final = 60


def explained(error: QueryError, question: Question) -> QueryError:
    """The same refusal, said for the person who asked."""
    code = error.engine_code
    if code in _LIMITS_IN_WORDS:
        message, hint = _LIMITS_IN_WORDS[code]
        if code == _RESULT_TOO_LARGE and "max bytes" in error.message:  # the engine's one code for rows and bytes
            message, hint = _TOO_MANY_BYTES
        return QueryLimitExceeded(message, hint=hint, engine_code=code)
    message, hint, place = _in_words(error.message, code, question)
    return QuestionFailed(message, hint=hint, engine_code=code, place=place)


def _in_words(message: str, code: int, question: Question) -> tuple[str, str, tuple[int, int] | None]:
    names = re.findall(r"[`']([^`']+)[`']", message)
    if code == _UNKNOWN_NAME and names:
        guess = re.search(r"[Mm]aybe you meant: \[?([^\]\n]+)\]?", message)
        found = guess[1].replace("'", "").replace("`", "").strip(" .") if guess else ""
        hint = f"Did you mean {found}?" if found else "See the list of tables and columns."
        return f"There is no column {names[0]} here.", hint, _place_of_name(question, names[0])
    if code == _UNKNOWN_FUNCTION and names:
        return f"There is no function {names[0]}.", "", _place_of_name(question, names[0])
    if code == _SYNTAX:
        failed = re.search(r"failed at position (\d+)", message)
        place = place_of(question.text, int(failed[1]) - 1) if failed else None
        return "The question cannot be read from here on.", "Look for a missing comma or parenthesis before it.", place
    if code == _NOT_AGGREGATED and names:
        column = names[0].split(".")[-1]
        hint = "Put it into GROUP BY, or into a function such as count, avg or any."
        return f"{column} is neither grouped by nor aggregated.", hint, _place_of_name(question, column)
    if code == _MISSING_TABLE:
        return "One of the tables is missing.", "Run `schoolhouse warehouse setup`.", None
    return re.split(r": (?:While|In scope)|\. ?In scope|: in scope", message)[0].strip(), "", None


def _place_of_name(question: Question, name: str) -> tuple[int, int] | None:
    last = name.split(".")[-1].strip("`\"'")
    for word in question.words:
        if word.is_name and word.text == last:
            return place_of(question.text, word.start)
    return None
