"""`chart` and `export`: the charts of the catalogue as tables, pictures and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from schoolhouse.analytics.readers import Readers
    from schoolhouse.settings import Settings

_Section = Annotated[str, typer.Option("--section", help="Address, number or key of a section.")]
_Project = Annotated[str, typer.Option("--project", help="Address or number of a project.")]
_Since = Annotated[str, typer.Option(help="First day that counts, such as 2026-03-01 (UTC).")]
_Until = Annotated[str, typer.Option(help="First day that counts no more.")]
_FORMATS: Final = ("csv", "parquet", "arrow", "json")


def chart(
    name: Annotated[str, typer.Argument(help="Which chart; without a name all are listed.")] = "",
    section: _Section = "",
    project: _Project = "",
    since: _Since = "",
    until: _Until = "",
    choose: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Another filter, such as top=50, step=day, pages=500,501 or min_group=5."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write: .png, .svg, .csv, .parquet, .arrow or .json.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Light on dark, for pictures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Show one chart of a section or a project as a table, or write it to a file.

    Example: schoolhouse chart video_completion --section 42@torus.example --out videos.png
    """
    if not name:
        _list_charts(as_json)
        return
    filters = _filters(since, until, choose or [])
    order = {"chart": name, "section": section, "project": project, "filters": filters}
    with _Charts(console.settings()) as charts:
        if out:
            out.write_bytes(charts.read({**order, "ending": _ending(out), "theme": "dark" if dark else "light"}))
            typer.echo(f"Wrote {out} ({console.size(out.stat().st_size)}).", err=True)
            return
        rows = json.loads(charts.read({**order, "ending": "json"}))
    if as_json:
        console.print_json(rows)
    else:
        _print(name, rows)


def export(
    out: Annotated[Path, typer.Argument(help="Directory to write into, made if it is not there.")],
    section: _Section = "",
    project: _Project = "",
    since: _Since = "",
    until: _Until = "",
    choose: Annotated[list[str] | None, typer.Option("--filter", help="Another filter, such as top=1000.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, parquet, arrow or json.")] = "csv",
    as_json: Annotated[bool, typer.Option("--json", help="Print the files as JSON.")] = False,
) -> None:
    """Write every chart of a section or a project to files, one a chart.

    Example: schoolhouse export answers/ --section 42@torus.example --format parquet
    """
    from schoolhouse.analytics.catalogue import catalogue
    from schoolhouse.errors import UsageError

    if form not in _FORMATS:
        raise UsageError(f"There is no format {form!r}.", hint=f"It is one of {', '.join(_FORMATS)}.")
    kind = "project" if project else "section"
    order = {"section": section, "project": project, "filters": _filters(since, until, choose or []), "ending": form}
    written = []
    with _Charts(console.settings()) as charts:
        for each in catalogue():
            if kind in each.scopes:
                content = charts.read({**order, "chart": each.name})
                out.mkdir(parents=True, exist_ok=True)
                path = out / f"{each.name}.{form}"
                path.write_bytes(content)
                written.append({"chart": each.name, "file": str(path), "size_bytes": len(content)})
    if as_json:
        console.print_json(written)
    else:
        console.print_table("", ["chart", "file", "bytes"], [list(row.values()) for row in written])


class _Charts:
    """Reads charts through a running `serve`, which holds the embedded warehouse, or from the warehouse itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._readers: Readers | None = None

    def __enter__(self) -> _Charts:
        return self

    def __exit__(self, *_: object) -> None:
        if self._readers:
            self._readers.close()

    def read(self, order: dict[str, Any]) -> bytes:
        from schoolhouse.analytics.answers import Asker
        from schoolhouse.analytics.catalogue import find_chart
        from schoolhouse.analytics.exports import Wanted, chart_bytes, find_scope
        from schoolhouse.analytics.readers import Readers
        from schoolhouse.web.chart_address import read_filters
        from schoolhouse.web.running import post_to_serve

        filters = read_filters(order["filters"])
        if self._readers is None and self._settings.is_embedded:
            answer = post_to_serve(self._settings, "/api/chart", order)
            if answer is not None:
                return answer
        self._readers = self._readers or Readers(self._settings, size=1)
        scope = find_scope(self._readers, section=order["section"], project=order["project"], who="chart")
        found = find_chart(order["chart"], scope.kind)
        wanted = Wanted(found, scope, filters, order["ending"], order.get("theme", "light"))
        return chart_bytes(self._readers, wanted, Asker("chart", may_see_learners=True))


def _list_charts(as_json: bool) -> None:
    from schoolhouse.analytics.catalogue import CATEGORIES, catalogue

    rows = [
        {
            "chart": each.name,
            "category": CATEGORIES[each.category],
            "scopes": list(each.scopes),
            "question": each.question,
        }
        for each in catalogue()
    ]
    if as_json:
        console.print_json(rows)
    else:
        table = [[row["chart"], row["category"], ", ".join(row["scopes"]), row["question"]] for row in rows]
        console.print_table("", ["chart", "category", "for", "question"], table)


def _filters(since: str, until: str, chosen: list[str]) -> dict[str, str]:
    from schoolhouse.errors import UsageError

    filters = {name: value for name, value in (("since", since), ("until", until)) if value}
    for each in chosen:
        name, is_set, value = each.partition("=")
        if not is_set:
            raise UsageError(f"{each!r} is no filter.", hint="Write --filter top=50.")
        filters[name] = value
    return filters


def _ending(path: Path) -> str:
    from schoolhouse.analytics.exports import ENDINGS
    from schoolhouse.errors import UsageError

    ending = path.suffix.removeprefix(".").lower()
    if ending not in ENDINGS:
        raise UsageError(f"A chart cannot be written as {path.name}.", hint=f"End the name in .{', .'.join(ENDINGS)}.")
    return ending


def _print(name: str, rows: list[dict[str, Any]]) -> None:
    from schoolhouse.analytics.catalogue import find_chart

    found = find_chart(name)
    if not rows:
        typer.echo(found.empty)
        return
    columns = [column.name for column in found.columns]
    console.print_table(found.title, columns, [[row[column] for column in columns] for row in rows])
