"""The report as one HTML page: no script, no web font, nothing fetched; light or dark as the reader has it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from schoolhouse.lake.quality.checks import LEVELS, Result

if TYPE_CHECKING:
    from schoolhouse.lake.quality.report import QualityReport

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d4d7dd, #3d434d); --mute: light-dark(#565d68, #a3abb8); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#fff, #16191d); color: light-dark(#1b1f26, #e8eaee); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .mute { color: var(--mute); }
.cards { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; padding: 0; list-style: none; }
.cards li { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .9rem; min-width: 7rem; }
.cards strong { display: block; font-size: 1.3rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
.level { font-weight: 600; white-space: nowrap; }
.critical { color: light-dark(#a11224, #ff8d97); } .error { color: light-dark(#8f3b00, #ffab70); }
.warning { color: light-dark(#6b5200, #e6c34d); } .info { color: light-dark(#0b559c, #86bdf7); }
.ok { color: light-dark(#1b6b33, #7fd197); }
"""
_ORDER = {level: place for place, level in enumerate((*LEVELS, "ok"))}


def page_of(report: QualityReport) -> str:
    """The whole page."""
    title = f"Quality of {report.dataset}"
    window = f"{report.window_start:%Y-%m-%d %H:%M} to {report.window_end:%Y-%m-%d %H:%M} UTC"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="mute">Window {window}, {report.rows:,} rows</p>',
        _cards(report),
        "<h2>Checks</h2>",
        _checks(report),
        "<h2>Anomalies</h2>",
        _anomalies(report),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _cards(report: QualityReport) -> str:
    cards = [
        ("Level", f'<span class="{report.level}">{report.level}</span>'),
        ("Score", f"{report.score:.1f}"),
        *((name.capitalize(), f"{score:.1f}") for name, score in report.dimension_scores.items()),
    ]
    return '<ul class="cards">' + "".join(f"<li>{name}<strong>{value}</strong></li>" for name, value in cards) + "</ul>"


def _table(name: str, heads: list[tuple[str, bool]], rows: list[list[Any]]) -> str:
    """A table that scrolls where the page is narrow. A head says whether its column holds numbers; cells are HTML."""
    kinds = [' class="number"' if number else "" for _, number in heads]
    top = "".join(f'<th scope="col"{kind}>{name}</th>' for kind, (name, _) in zip(kinds, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" role="region" tabindex="0" aria-label="{name}">{table}</div>'


def _checks(report: QualityReport) -> str:
    heads = [
        ("Result", False),
        ("Check", False),
        ("Dimension", False),
        ("Level", False),
        ("Failed", True),
        ("Of", True),
    ]
    worst_first = sorted(report.results, key=lambda result: _ORDER[result.status])
    return _table("Checks", heads, [_row(result) for result in worst_first])


def _row(result: Result) -> list[str]:
    check = result.check
    return [
        f'<span class="level {result.status}">{result.status}</span>',
        f'{escape(check.name)}<br><span class="mute">{escape(check.about)}</span>',
        check.dimension,
        check.level,
        f"{result.failed:,}" + (f" ({result.share:.2%})" if result.failed else ""),
        f"{result.units:,}",
    ]


def _anomalies(report: QualityReport) -> str:
    size = report.volume
    if size.expected is None or size.z is None:
        told = "<p>There are too few earlier windows to say how many rows are usual.</p>"
    else:
        told = (
            f"<p>{size.rows:,} rows; {size.expected:,.0f} are usual for this {size.baseline} "
            f"({size.compared_with} windows). Robust z-score {size.z:+.1f}: "
            f"{'unusual' if size.is_anomaly else 'usual'}.</p>"
        )
    heads = [
        ("Column", False),
        ("Rows", True),
        ("Median", True),
        ("Usual from", True),
        ("to", True),
        ("Anomalies", True),
    ]
    rows = [
        [
            escape(one.column),
            f"{one.rows:,}",
            *("" if value is None else f"{value:,.4g}" for value in (one.median, one.low, one.high)),
            f"{one.anomalies:,}",
        ]
        for one in report.row_anomalies
    ]
    return told + (_table("Anomalies of rows", heads, rows) if rows else "")
