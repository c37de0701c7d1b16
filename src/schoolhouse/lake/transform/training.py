"""`ml.training` to `ml_training`: the examples, and how far the prediction was from what happened."""

from __future__ import annotations

import polars as pl

from schoolhouse.lake.transform.datasets import DATASETS
from schoolhouse.lake.transform.normalize import each_event_once, one_word, year_month_day

LEAST_CHANCE = 1e-15


def transform_training(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of `ml_training` from parsed messages."""
    prediction, label = pl.col("prediction"), pl.col("label")
    given = pl.when(label).then(prediction).otherwise(1 - prediction).clip(LEAST_CHANCE, 1.0)
    return (
        each_event_once(raw, "event_id")
        .with_columns(
            created_at=pl.col("timestamp"),
            model_name=one_word(pl.col("model_name")),
            split=one_word(pl.col("split")),
            feature_names=pl.col("feature_names").fill_null([]),
            feature_values=pl.col("feature_values").fill_null([]),
            weight=pl.col("weight").fill_null(1.0),
            squared_error=(prediction - label.cast(pl.Float64)).pow(2),
            log_loss=pl.when(label.is_not_null()).then(-given.log()),
        )
        .with_columns(year_month_day("timestamp"))
        .select(pl.col(name).cast(dtype) for name, dtype in DATASETS["ml_training"].schema.items())
    )
