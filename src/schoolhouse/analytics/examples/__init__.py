"""Questions to start from on the custom-SQL page: `<name>.sql` with a title, and `<name>.vl.json` that draws it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from schoolhouse.warehouse.statements import describe


@dataclass(frozen=True)
class Example:
    """One example: what it is called, its SQL, and its Vega-Lite text without data."""

    title: str
    sql: str
    chart: str


@cache
def examples() -> tuple[Example, ...]:
    """Every example, in the order of their file names."""
    folder = files(__name__)
    names = sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Example(
            title=describe(text := folder.joinpath(f"{name}.sql").read_text(encoding="utf-8"))[0],
            sql=text.strip(),
            chart=folder.joinpath(f"{name}.vl.json").read_text(encoding="utf-8").strip(),
        )
        for name in names
    )
