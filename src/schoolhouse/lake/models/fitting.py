"""Both models fitted at once."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.models.fit_bkt import fit_bkt
from schoolhouse.lake.models.fit_irt import fit_irt
from schoolhouse.lake.models.parameters import BKT_SCHEMA, IRT_SCHEMA, Parameters


def fit(attempts: pl.LazyFrame) -> Parameters:
    """The parameters of topics and questions, from rows of `user_attempts`; who has too few answers is left out."""
    return Parameters(
        bkt=fit_bkt(attempts).select(BKT_SCHEMA.names()), irt=fit_irt(attempts).select(IRT_SCHEMA.names())
    )
