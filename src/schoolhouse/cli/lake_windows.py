"""`lake run`, `backfill`, `follow` and `status`: windows from Kafka into the lake."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from schoolhouse.lake.backfill import Failure
    from schoolhouse.lake.window import Outcome
    from schoolhouse.lake.zones import Lake

# As settings.kinds has them; to import that would load pydantic for `--help`.
MOST_DAYS: Final = 36_500
_MOST_HOURS: Final = MOST_DAYS * 24

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only this dataset; may be given again.")]
Again = Annotated[bool, typer.Option("--again", help="Work once more on what is loaded or quarantined, from raw rows.")]


def run(
    window: Annotated[
        str, typer.Option("--window", help="The hour, such as 2024-01-31T14 (UTC); without it, what is due.")
    ] = "",
    dataset: Datasets = None,
    again: Again = False,
    catch_up: Annotated[
        int, typer.Option("--catch-up", min=1, max=_MOST_HOURS, help="Without --window: hours to look back.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Load one window, or all that are due.

    Without --window: every closed window of the last day that is not loaded. Made for cron as it stands.

    Example: schoolhouse lake run --window 2024-01-31T14
    """
    from schoolhouse.lake import backfill
    from schoolhouse.lake.clock import read_window

    lake = opened_lake()
    if window:
        hour = read_window(window)
        since, until = hour.start, hour.end
    else:
        since, until = backfill.due(lake, catch_up)
    _show(list(backfill.run(lake, since, until, _names(dataset), again=again)), as_json)


def load_history(
    since: Annotated[str, typer.Option("--from", help="First hour or day, such as 2024-01-01.")],
    until: Annotated[str, typer.Option("--to", help="The hour or day before which to stop.")],
    dataset: Datasets = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Load the windows of a span of time, oldest first.

    What is loaded is skipped (with --again: what never was); what fails does not stop the rest.

    Example: schoolhouse lake backfill --from 2024-01-01 --to 2024-02-01
    """
    from schoolhouse.lake import backfill
    from schoolhouse.lake.clock import read_moment

    lake, names = opened_lake(), _names(dataset)
    first, last = read_moment(since), read_moment(until)
    total = max(1, int((last - first).total_seconds() // 3600) * len(names))
    results = []
    with console.progress() as bar:
        task = bar.add_task("windows", total=total, note="")
        for result in backfill.run(lake, first, last, names, again=again):
            results.append(result)
            bar.update(task, advance=1, note=f"{result.window} {result.dataset}")
    _show(results, as_json)


def follow(
    dataset: Datasets = None,
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Stop after this many looks; 0: never.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Keep the current hour fresh, until Ctrl-C or SIGTERM.

    It looks every LAKE_FOLLOW_SECONDS.
    """
    import json
    import signal

    from schoolhouse.lake.follow import Follower

    def tell(outcome: Outcome) -> None:
        facts = _facts(outcome)
        if as_json:
            print(json.dumps(facts, default=str), flush=True)
        else:
            print(f"{facts['window']} {facts['dataset']}: {facts['rows']} rows, {facts['state']}", flush=True)

    follower = Follower(opened_lake(), _names(dataset), tell=tell)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: follower.stop())
    follower.run(rounds=rounds)


def status(
    hours: Annotated[int, typer.Option("--hours", min=1, max=_MOST_HOURS, help="Hours to look back.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Tell how the last windows stand, and what waits in Kafka."""
    from schoolhouse.lake import summary

    standings = summary.status(opened_lake(), hours)
    if as_json:
        console.print_json([asdict(one) for one in standings])
        return
    columns = ["dataset", "newest", "state", "score", "loaded", "open", "quarantined", "failed", "missing", "lag"]
    rows = [
        (
            one.dataset,
            one.newest_loaded and f"{one.newest_loaded:%Y-%m-%d %H:%M}",
            one.newest_state or None,
            one.newest_score,
            one.loaded,
            one.open,
            one.quarantined,
            one.failed,
            len(one.missing),
            one.lag,
        )
        for one in standings
    ]
    console.print_turned(f"windows of the last {hours} hours", columns, rows)


def opened_lake() -> Lake:
    """The lake that the settings describe."""
    from schoolhouse.lake.zones import lake_of

    return lake_of(console.settings())


def _names(given: list[str] | None) -> list[str]:
    from schoolhouse.errors import UsageError
    from schoolhouse.lake.window import datasets

    known = datasets(console.settings())
    for name in given or []:
        if name not in known:
            raise UsageError(
                f"No topic that is loaded becomes the dataset {name!r}.", hint=f"There are {', '.join(known)}."
            )
    return given or known


def _facts(outcome: Outcome) -> dict[str, Any]:
    done = outcome.done
    return {
        "dataset": outcome.dataset,
        "window": str(outcome.window),
        "did": outcome.did,
        **asdict(done),
        "seconds": round(done.seconds, 3),
        "state": outcome.state,
    }


def _show(results: list[Outcome | Failure], as_json: bool) -> None:
    """What each window came to; exit 1 if one failed."""
    from schoolhouse.lake.backfill import Failure

    failures = [one for one in results if isinstance(one, Failure)]
    facts = [_facts(one) for one in results if not isinstance(one, Failure)]
    facts += [
        {"dataset": one.dataset, "window": str(one.window), "did": "failed", "state": "failed", "error": str(one.error)}
        for one in failures
    ]
    if as_json:
        console.print_json(facts)
    else:
        columns = ["window", "dataset", "state", "rows", "notes", "score"]
        console.print_table("windows", columns, [_line(one) for one in facts])
        for failure in failures:
            console.print_problem(f"{failure.window} {failure.dataset}: {failure.error}")
    if failures:
        raise typer.Exit(1)


def _line(facts: dict[str, Any]) -> list[Any]:
    """Of a window what fits a terminal; `--json` has the rest."""
    from schoolhouse.lake.backfill import SKIPPED
    from schoolhouse.lake.window import ALREADY

    window, dataset, state = facts["window"], facts["dataset"], facts["state"]
    if facts["did"] == ALREADY:
        return [window, dataset, f"{state} already", None, "", None]
    if facts["did"] == SKIPPED:
        return [window, dataset, state, None, SKIPPED, None]
    notes = [f"{facts[name]} {name}" for name in ("duplicates", "poison", "late", "expired") if facts.get(name)]
    score = facts.get("score")
    return [window, dataset, state, facts.get("rows"), ", ".join(notes), None if score is None else round(score, 1)]
