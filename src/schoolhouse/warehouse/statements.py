"""SQL lives in `.sql` files, one statement each; this module reads them.

A file starts with a comment block: the first line is its title, the others say what it answers, its columns and units.
Values are bound by the engine (`{section_id:UInt64}`), never pasted.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statement(name: str, package: str = "schoolhouse.warehouse.sql") -> str:
    """The text of `<name>.sql` in `package`. Raises FileNotFoundError if there is none."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def describe(text: str) -> tuple[str, str]:
    """Title and explanation from the comment block at the head of a statement."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line[2:].strip())
    return (lines[0] if lines else ""), " ".join(lines[1:])
