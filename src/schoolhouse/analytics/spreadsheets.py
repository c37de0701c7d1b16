"""CSV that spreadsheets open as text.

A cell that begins with `=`, `+`, `-` or `@` would run as a formula, and texts such as names of videos come from whoever
writes statements. An apostrophe before it makes it text again. Numbers are left as they are; so are Parquet, Arrow and
JSON, which are for programs.
"""

from __future__ import annotations

import re
from typing import Final

# The engine quotes every text and doubles the quotes inside, so this finds the beginnings of texts and nothing else.
_FORMULA: Final = re.compile(rb'(^|[,\n])"(?=[=+\-@\t\r])')


def without_formulas(csv: bytes) -> bytes:
    """The same table, as the engine writes CSV, with no text that a spreadsheet would run."""
    return _FORMULA.sub(rb"""\1"'""", csv)
