"""The fitted parameters of the learner models, kept in the lake as one object; windows take them from there."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from schoolhouse.errors import NotFound
from schoolhouse.lake.clock import now
from schoolhouse.lake.models.parameters import Parameters
from schoolhouse.lake.tables import Table
from schoolhouse.lake.zones import mapped_reads, object_store

if TYPE_CHECKING:
    from schoolhouse.lake.zones import Lake

PATH: Final = "operations/models/parameters.json"


def parameters(lake: Lake) -> Parameters:
    """What was fitted last; the defaults where nothing was."""
    try:
        return Parameters.from_json(object_store(lake).get(PATH))
    except FileNotFoundError:
        return Parameters()


def fit_lake(lake: Lake, days: int) -> Parameters:
    """Fit the models to the attempts of the last days; `keep` makes the next windows use them.

    Raises:
        NotFound: no topic and no question has enough attempts; what was fitted before stays in use.
    """
    import polars as pl

    from schoolhouse.lake.models.fitting import fit

    rows = Table(lake, "processed", "user_attempts").scan()
    found = Parameters()
    if rows is not None:
        with mapped_reads("processed/user_attempts"):
            found = fit(rows.filter(pl.col("attempted_at") >= now() - timedelta(days=days)))
    if not found.bkt.height and not found.irt.height:
        raise NotFound(
            f"The last {days} days hold too few attempts to fit any topic or question.",
            hint="Go further back with --days. The parameters in use stay as they are.",
        )
    return found


def keep(lake: Lake, found: Parameters) -> None:
    """Put the parameters in the place of the last ones."""
    object_store(lake).put(PATH, json.dumps({"fitted_at": now().isoformat(), **found.as_json()}).encode())
