"""What the models are told of topics and questions. Who is not listed has the defaults of `bkt` and `irt`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from schoolhouse.errors import InputError
from schoolhouse.lake.models import bkt, irt

BKT_SCHEMA = pl.Schema({"topic": pl.String(), **dict.fromkeys(("prior", "learn", "guess", "slip"), pl.Float64())})
IRT_SCHEMA = pl.Schema({"item_id": pl.String(), **dict.fromkeys(("discrimination", "difficulty"), pl.Float64())})
_BKT_DEFAULTS = {"prior": bkt.PRIOR, "learn": bkt.LEARN, "guess": bkt.GUESS, "slip": bkt.SLIP}
_IRT_DEFAULTS = {"discrimination": irt.DISCRIMINATION, "difficulty": irt.DIFFICULTY}


@dataclass(frozen=True)
class Parameters:
    """Parameters of topics (BKT) and of questions (IRT)."""

    bkt: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BKT_SCHEMA))
    irt: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=IRT_SCHEMA))

    def of_topics(self, topics: pl.Series) -> pl.DataFrame:
        """One row of BKT parameters for each of these topics, in their order."""
        return _looked_up(topics, self.bkt, "topic", _BKT_DEFAULTS)

    def of_items(self, items: pl.Series) -> pl.DataFrame:
        """One row of IRT parameters for each of these questions, in their order."""
        return _looked_up(items, self.irt, "item_id", _IRT_DEFAULTS)

    def as_json(self) -> dict[str, Any]:
        """Lists of rows, as `from_json` takes them."""
        return {"bkt": self.bkt.to_dicts(), "irt": self.irt.to_dicts()}

    @classmethod
    def from_json(cls, text: str | bytes) -> Parameters:
        """Parameters as `as_json` wrote them."""
        try:
            found = json.loads(text)
            read = cls(pl.DataFrame(found["bkt"], schema=BKT_SCHEMA), pl.DataFrame(found["irt"], schema=IRT_SCHEMA))
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
            read = None
        if read is None or any(sum(table.null_count().row(0)) for table in (read.bkt, read.irt)):
            raise InputError("The file of model parameters cannot be read.", hint="Fit the models again.")
        return read


def _looked_up(names: pl.Series, table: pl.DataFrame, key: str, defaults: dict[str, float]) -> pl.DataFrame:
    found = names.alias(key).to_frame().join(table, on=key, how="left", maintain_order="left")
    return found.select(pl.col(name).fill_null(value) for name, value in defaults.items())
