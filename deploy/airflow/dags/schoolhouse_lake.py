"""Shows the lake's DAGs to Airflow, which looks for files that name airflow and dag."""

from schoolhouse.lake.dag import lake, upkeep

__all__ = ["lake", "upkeep"]
