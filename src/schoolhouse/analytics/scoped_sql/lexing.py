"""The words of a question, cut as ClickHouse cuts them.

Two programs read the text: the parser that checks it, and the engine. They must see the same words, so what they might
read differently is refused here: characters beyond ASCII outside of strings, `#` comments, `$`, `{}`, `@` and `\\`, and
quoted names with escapes. Comments become blanks, so that places stay what they were.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from schoolhouse.errors import QuestionRefused

Kind = Literal["name", "quoted", "number", "string", "sign"]

MAX_LENGTH: Final = 50_000

_PATTERN: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    |(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.|'')*')
    |(?P<quoted>`[^`\\\x00-\x1f]+`|"[^"\\\x00-\x1f]+")
    |(?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign><=>|::|->|\|\||==|!=|<>|<=|>=|[()\[\],.+\-*/%=<>?:])
    |(?P<end>;)""",
    re.VERBOSE | re.DOTALL,
)
_OPEN: Final = {"'": "A string", "`": "A quoted name", '"': "A quoted name", "/": "A comment"}


@dataclass(frozen=True)
class Word:
    """One word. `text` is what stands there, a quoted name without its quotes; `start` counts characters from 0."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def is_name(self) -> bool:
        """Whether it may name something, or be a keyword."""
        return self.kind in {"name", "quoted"}

    def is_keyword(self, *keywords: str) -> bool:
        """Whether it is one of these keywords (lower case), written without quotes."""
        return self.kind == "name" and self.text.lower() in keywords


@dataclass(frozen=True)
class Question:
    """A question cut into words. `text` is what the engine gets: no comments, no semicolon, every place as it was."""

    text: str
    words: tuple[Word, ...]

    def with_blank_strings(self) -> str:
        """The text with the contents of strings replaced, for a parser that need not understand them."""
        characters = list(self.text)
        for word in self.words:
            if word.kind == "string":
                characters[word.start + 1 : word.end - 1] = "s" * (word.end - word.start - 2)
        return "".join(characters)


def cut(text: str) -> Question:
    """Cut a question into words.

    Raises:
        QuestionRefused: with the place, when a character or a quote cannot be read for certain, or more than one
            question stands there.
    """
    if len(text) > MAX_LENGTH:
        raise QuestionRefused(f"The question has more than {MAX_LENGTH:,} characters.")
    words: list[Word] = []
    characters = list(text)
    has_ended = False
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            _refuse_character(text, position)
        if kind in {"comment", "end"}:
            has_ended = has_ended or kind == "end"
            for index in range(position, match.end()):
                characters[index] = "\n" if text[index] == "\n" else " "
        elif kind != "blank":
            if has_ended:
                refuse(text, position, "Only one question at a time: something follows the semicolon.")
            words.append(_word(text, match, kind))
        position = match.end()
    if not words:
        raise QuestionRefused("There is no question.", hint="Write one SELECT.")
    return Question("".join(characters), tuple(words))


def place_of(text: str, position: int) -> tuple[int, int]:
    """Line and column of a position, both from 1."""
    line = text.count("\n", 0, position) + 1
    return line, position - (text.rfind("\n", 0, position) + 1) + 1


def refuse(text: str, position: int, reason: str, *, hint: str = "") -> NoReturn:
    """Raise QuestionRefused with the place."""
    raise QuestionRefused(reason, hint=hint, place=place_of(text, position))


def _word(text: str, match: re.Match[str], kind: str) -> Word:
    start, end = match.span()
    found = match.group()
    if kind == "string" and "\x00" in found:
        refuse(text, start, "A string holds a NUL character.")
    if kind == "number" and end < len(text) and (text[end].isalnum() or text[end] in "_$"):
        refuse(text, start, "A number runs into a word.", hint="Put a blank between them.")
    if kind == "quoted":
        found = found[1:-1]
        if any(unicodedata.category(character) in {"Cf", "Cc", "Co", "Cn", "Cs", "Zl", "Zp"} for character in found):
            refuse(text, start, "A quoted name holds a character that cannot be seen.")
    return Word(kind, found, start, end)  # type: ignore[arg-type]


def _refuse_character(text: str, position: int) -> NoReturn:
    character = text[position]
    if character in _OPEN and (character != "/" or text.startswith("/*", position)):
        hint = "Names take neither escapes nor line breaks." if character in '`"' else ""
        refuse(text, position, f"{_OPEN[character]} that starts here does not end.", hint=hint)
    if not character.isascii():
        name = unicodedata.name(character, "a character without a name").lower()
        hint = "Quotes are written ' and \". Other letters may stand in strings, and in names in double quotes."
        refuse(text, position, f"{name.capitalize()} (U+{ord(character):04X}) cannot stand here.", hint=hint)
    hints = {
        "{": "Values are written out; there are no parameters here.",
        "}": "Values are written out; there are no parameters here.",
        "#": "Comments start with -- or stand in /* */.",
        "&": "Write AND, or bitAnd().",
        "|": "Write OR, or bitOr().",
        "!": "Write NOT, or != to compare.",
    }
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    refuse(text, position, f"{shown} cannot stand here.", hint=hints.get(character, ""))
