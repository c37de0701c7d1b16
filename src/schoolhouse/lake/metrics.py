"""The lake's figures in Prometheus's text form: for `/admin/lake/metrics`, or a file that a node exporter reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from schoolhouse.lake.summary import Held, Standing, status, summary
from schoolhouse.lake.usage import DatasetUse, usage

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake

_DAYS: Final = 1
Sample = tuple[dict[str, str], float | None]


def exposition(lake: Lake) -> str:
    """Figures of the last day's windows, of the tables, and of what waits in Kafka."""
    used = usage(lake, _DAYS)
    parts = [
        *_of_datasets(used.datasets),
        *_of_tasks(used.tasks),
        *_of_tables(summary(lake)),
        *_of_status(status(lake)),
    ]
    return "".join(parts)


def _of_datasets(datasets: list[DatasetUse]) -> Iterable[str]:
    described = {
        "windows": ("windows", "Windows worked on in the last day."),
        "window_failures": ("failures", "Tries that failed in the last day."),
        "window_success_ratio": ("success_rate", "Tries that finished, of all in the last day."),
        "messages": ("messages", "Messages read in the last day."),
        "rows": ("rows", "Rows loaded in the last day."),
        "duplicates": ("duplicates", "Messages of events that were there already, in the last day."),
        "late_messages": ("late", "Messages that came after their hour, in the last day."),
        "poison_messages": ("poison", "Messages that could not be read, in the last day."),
        "expired_messages": ("expired", "Messages that the broker had deleted before they were read, in the last day."),
        "records_per_hour": ("records_per_hour", "Messages of a window, on the mean of the last day."),
        "window_seconds_mean": ("seconds_mean", "Seconds of a window, on the mean of the last day."),
        "window_seconds_p95": ("seconds_p95", "Seconds of a window that 95 of 100 did not exceed in the last day."),
        "quality_score": ("score_mean", "Quality score, 0 to 100, on the mean of the last day."),
        "quality_score_min": ("score_min", "The lowest quality score of the last day."),
        "validation_failures": ("validation_failures", "Checks that failed in the last day."),
        "anomalies": ("anomalies", "Windows' anomalies in the last day."),
        "readable_ratio": ("readable", "Messages that could be read, of all in the last day."),
        "schema_compliance_ratio": (
            "schema_compliance",
            "Columns with their right types, on the mean of the last day.",
        ),
        "quarantined_windows": ("quarantined_windows", "Windows held back in the last day."),
    }
    for name, (attribute, meaning) in described.items():
        yield _family(name, meaning, [({"dataset": one.dataset}, getattr(one, attribute)) for one in datasets])
    dimensions: list[Sample] = [
        ({"dataset": one.dataset, "dimension": name}, value)
        for one in datasets
        for name, value in one.dimensions.items()
    ]
    yield _family("quality_dimension_score", "Quality score of a dimension, on the mean of the last day.", dimensions)


def _of_tasks(tasks: dict[str, dict[str, float]]) -> Iterable[str]:
    samples: list[Sample] = [
        ({"dataset": dataset, "task": task}, seconds) for dataset, by in tasks.items() for task, seconds in by.items()
    ]
    yield _family("task_seconds", "Seconds of a window's task, on the mean of the last day.", samples)


def _of_tables(held: list[Held]) -> Iterable[str]:
    described = {
        "table_rows": ("rows", "Rows of a table."),
        "table_bytes": ("size_bytes", "Bytes of the files that a table names."),
        "table_files": ("files", "Files that a table names."),
        "table_partitions": ("partitions", "Days that a table holds."),
        "partition_bytes_max": ("largest_partition_bytes", "Bytes of a table's largest day."),
    }
    for name, (attribute, meaning) in described.items():
        yield _family(
            name, meaning, [({"zone": one.zone, "table": one.table}, getattr(one, attribute)) for one in held]
        )


def _of_status(standings: list[Standing]) -> Iterable[str]:
    lag = [({"dataset": one.dataset}, None if one.lag is None else float(one.lag)) for one in standings]
    yield _family("consumer_lag", "Messages that no window has read yet.", lag)
    yield _family(
        "windows_missing",
        "Hours of the last day that nobody loaded.",
        [({"dataset": one.dataset}, float(len(one.missing))) for one in standings],
    )
    newest: list[Sample] = [
        ({"dataset": one.dataset}, one.newest_loaded.timestamp() if one.newest_loaded else None) for one in standings
    ]
    yield _family("newest_window_timestamp_seconds", "Start of the newest window that is loaded.", newest)


def _family(name: str, meaning: str, samples: Sequence[Sample]) -> str:
    """One metric with its samples; nothing where there is none."""
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return ""
    full = f"schoolhouse_lake_{name}"
    lines = [f"# HELP {full} {meaning}", f"# TYPE {full} gauge"]
    for labels, value in known:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{full}{{{inside}}} {value:g}" if abs(value) < 1e6 else f"{full}{{{inside}}} {value:.0f}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
