"""The report on the lake's use as one page: figures, and plots as inline SVG. It needs no script and no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from schoolhouse.lake.usage import Usage

_WIDTH: Final = 720
_HEIGHT: Final = 140
_LEFT: Final = 60
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2933; --faint: #667; --line: #d8dde3; --mark: #2f6db5; --bad: #b3372f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --faint: #9aa5b1; --line: #3a4450; --mark: #7fb1ea; --bad: #ef8a82; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 11px; }
svg .bar { fill: var(--mark); } svg .bad { fill: var(--bad); } svg .axis { stroke: var(--line); }
"""


def page(used: Usage) -> str:
    """The whole page."""
    title = f"The lake from {used.since:%Y-%m-%d} to {used.until:%Y-%m-%d}"
    parts = [f"<h1>{escape(title)}</h1>", _figures(used)]
    for one in used.datasets:
        days = [day for day in used.days if day.dataset == one.dataset]
        parts += [
            f"<h2>{escape(one.dataset)}</h2>",
            bars("Rows loaded by day", [(day.day, day.rows) for day in days]),
            bars("Quality score by day (0 to 100)", [(day.day, day.score) for day in days], top=100.0),
            bars("Seconds of work by day", [(day.day, day.seconds) for day in days]),
            bars("Tries that failed by day", [(day.day, day.failures) for day in days], css="bad"),
        ]
    parts += ["<h2>Mean seconds by task</h2>", _tasks(used), "<h2>Storage by table</h2>", _storage(used)]
    parts += [bars(f"Bytes of {zone} by day of the data", sizes) for zone, sizes in _sizes(used).items()]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        + "\n".join(parts)
        + "</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; numbers with separators."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def bars(title: str, values: list[tuple[date, float | None]], *, top: float = 0.0, css: str = "bar") -> str:
    """A bar for each day, over a common axis of days."""
    greatest = top or max((number or 0 for _, number in values), default=0) or 1.0
    if not values:
        return ""
    first, last = values[0][0], values[-1][0]
    step = (_WIDTH - _LEFT) / ((last - first).days + 1)
    drawn = "".join(_bar(at, number, first, step, greatest, css) for at, number in values if number is not None)
    label = f"{title}: highest {_text(max((number or 0 for _, number in values)))}"
    return (
        f"<h3>{escape(title)}</h3>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" role="img" aria-label="{escape(label)}">'
        f'<line class="axis" x1="{_LEFT}" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/>'
        f'<text x="{_LEFT - 6}" y="12" text-anchor="end">{_text(greatest)}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT + 14}">{first}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 14}" text-anchor="end">{last}</text>{drawn}</svg>'
    )


def _bar(at: date, number: float, first: date, step: float, greatest: float, css: str) -> str:
    height = max(0.0, min(1.0, number / greatest)) * (_HEIGHT - 8)
    x = _LEFT + (at - first).days * step
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="{max(1.0, min(step * 0.8, 40)):.1f}" '
        f'height="{height:.1f}"><title>{at}: {_text(number)}</title></rect>'
    )


def _figures(used: Usage) -> str:
    head = ["dataset", "windows", "failed tries", "success", "messages", "rows", "duplicates", "late", "poison"]
    head += ["messages a window", "seconds", "seconds (p95)", "score", "lowest", "failed checks", "anomalies"]
    head += ["readable", "schema"]
    rows = [
        (
            one.dataset, one.windows, one.failures, one.success_rate, one.messages, one.rows, one.duplicates, one.late,
            one.poison, round(one.records_per_hour), one.seconds_mean, one.seconds_p95, one.score_mean, one.score_min,
            one.validation_failures, one.anomalies, one.readable, one.schema_compliance,
        )
        for one in used.datasets
    ]  # fmt: skip
    return table(head, rows)


def _tasks(used: Usage) -> str:
    names = sorted({name for tasks in used.tasks.values() for name in tasks})
    return table(
        ["dataset", *names], [[dataset, *(tasks.get(name) for name in names)] for dataset, tasks in used.tasks.items()]
    )


def _storage(used: Usage) -> str:
    head = ["table", "rows", "files", "bytes", "bytes a day", "bytes of the largest day"]
    return table(
        head,
        [
            (f"{one.zone}/{one.table}", one.rows, one.files, one.size_bytes, one.bytes_per_day, one.largest_day_bytes)
            for one in used.growth
        ],
    )


def _sizes(used: Usage) -> dict[str, list[tuple[date, float | None]]]:
    """Bytes by day of each zone, in order of days."""
    sizes: dict[str, dict[date, float | None]] = {}
    for row in used.storage:
        of = sizes.setdefault(row["zone"], {})
        of[row["of"]] = (of.get(row["of"]) or 0) + row["size_bytes"]
    return {zone: sorted(of.items()) for zone, of in sizes.items()}


def _text(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)
