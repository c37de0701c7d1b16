"""Messages to datasets.

- `datasets`   every column of every dataset, with its bounds
- `parse`      messages to typed rows, poison aside
"""

from __future__ import annotations

from schoolhouse.lake.transform.datasets import DATASETS, Column, Dataset, dataset_of
from schoolhouse.lake.transform.parse import parse

__all__ = ["DATASETS", "Column", "Dataset", "dataset_of", "parse"]
