"""Scopes as the engine's own filters.

`additional_table_filters` holds wherever a table is read: in sub-queries, unions, joins, behind views and aliases, with
and without FINAL. A readable table shows its scope's rows; every other table of the database shows none at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schoolhouse.analytics.projects import Project
from schoolhouse.analytics.sections import Section

# What custom SQL may name. A table belongs here when its rows carry platform, section_id and project_id.
READABLE: Final[Mapping[str, str]] = {
    "raw_events": "Events, one row a statement.",
    "video_events": "Events of videos, under the names of the first pipelines.",
    "experiment_attributions": "Experiments: one row an assignment, exposure or reward.",
    "sections": "Sections: title, key and project.",
}
# Views read through their tables, which are filtered.
VIEWS: Final = frozenset({"video_events"})

# What one question may take: seconds, rows and bytes. Rows that the scope leaves out by the table's order are not read
# and do not count. Results are refused, not cut: half an answer looks like a whole one.
LIMITS: Final[Mapping[str, Any]] = {
    "max_execution_time": 30,
    "timeout_overflow_mode": "throw",
    "max_result_rows": 100_000,
    "max_result_bytes": 200_000_000,
    "result_overflow_mode": "throw",
    "max_rows_to_read": 50_000_000,
    "max_bytes_to_read": 20_000_000_000,
    "read_overflow_mode": "throw",
    "max_memory_usage": 2_000_000_000,
    "max_bytes_ratio_before_external_group_by": 0,  # nothing is written, not even what does not fit into memory
    "max_bytes_ratio_before_external_sort": 0,
    "max_threads": 2,
    "max_subquery_depth": 20,
    "max_ast_depth": 500,
    "max_ast_elements": 20_000,
    "max_expanded_ast_elements": 100_000,
}
# How questions are understood: each statement once, FINAL or not; and branches that are not taken are not computed.
MEANING: Final[Mapping[str, Any]] = {
    "final": 1,
    "short_circuit_function_evaluation": "enable",
    "allow_ddl": 0,
    "allow_introspection_functions": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "format_csv_null_representation": "",  # a spreadsheet would take the engine's `\N` for a text
}


@dataclass(frozen=True)
class QuestionScope:
    """What one question may see: the rows for which `condition` holds.

    `name` says it to people and in the record; `key` is what saved questions are kept under, which no rename changes.
    `tag` says it to a server, in each query's tag: its row policies read it (see `row_policies`).
    """

    name: str
    condition: str
    key: str = ""
    tag: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=lambda: LIMITS)

    def settings(self, database: str, tables: Iterable[str]) -> dict[str, Any]:
        """The engine settings that hold a question to this scope; `tables` are all tables of the database."""
        filters = {f"{database}.{table}": "0" for table in tables if table not in READABLE}
        filters |= {f"{database}.{table}": self.condition for table in READABLE if table not in VIEWS}
        return {**self.limits, **MEANING, "additional_table_filters": filters}


def section_scope(section: Section) -> QuestionScope:
    """The rows of one section."""
    condition = f"section_id = {int(section.section_id)} AND platform = {_literal(section.platform)}"
    key = f"section {section.section_id}@{section.platform}"
    tag = {"platform": section.platform, "section_id": int(section.section_id)}
    return QuestionScope(f"section {section.slug}", condition, key, tag)


def project_scope(project: Project) -> QuestionScope:
    """The rows of one project, in all its sections."""
    condition = f"project_id = {int(project.project_id)} AND platform = {_literal(project.platform)}"
    key = f"project {project.project_id}@{project.platform}"
    tag = {"platform": project.platform, "project_id": int(project.project_id)}
    return QuestionScope(f"project {project.slug}", condition, key, tag)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
