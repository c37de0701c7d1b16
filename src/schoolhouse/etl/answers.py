"""What the handler answers: counts over all objects, one count for each event type, and reasons for what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from schoolhouse.collect.bundles import parse_key
from schoolhouse.etl.objects import Outcome
from schoolhouse.etl.payloads import ObjectRef

# Types that every answer counts, also when there were none. Others are added as they occur.
EVENT_TYPES: Final = ("video", "part_attempt", "activity_attempt", "page_attempt", "page_viewed", "experiment")
_MOST_ERRORS: Final = 20


class Tally:
    """Adds outcomes up. One thread uses it."""

    def __init__(self) -> None:
        self.files_loaded = 0
        self.files_failed = 0
        self.files_untouched = 0
        self._lines: Counter[str] = Counter()
        self._types: Counter[str] = Counter(dict.fromkeys(EVENT_TYPES, 0))
        self._rejected: Counter[str] = Counter()
        self._errors: list[dict[str, str]] = []

    def add(self, outcome: Outcome) -> None:
        """Count one object."""
        summary = outcome.summary
        if summary:
            self._lines.update(
                accepted=summary.accepted,
                new=summary.new,
                duplicate=summary.duplicate,
                conflict=summary.conflict,
                bytes=summary.bytes,
            )
            self._types.update(summary.event_types)
            self._rejected.update(summary.rejected)
        if outcome.state == "loaded":
            self.files_loaded += 1
        elif outcome.state == "untouched":
            self.files_untouched += 1
        else:
            self.files_failed += 1
            if outcome.error:
                self.add_error(outcome.ref.uri, outcome.error.code, outcome.error.message)

    def add_error(self, subject: str, code: str, reason: str) -> None:
        """Keep a reason; only the first are kept, the counts are whole."""
        if len(self._errors) < _MOST_ERRORS:
            self._errors.append({"subject": subject, "code": code, "reason": reason})

    def counts(self) -> dict[str, Any]:
        """The counts under the names of every answer. `events_processed` are statements accepted, new or not."""
        return {
            "events_processed": self._lines["accepted"],
            "events_new": self._lines["new"],
            "events_duplicate": self._lines["duplicate"],
            "events_in_conflict": self._lines["conflict"],
            "events_rejected": sum(self._rejected.values()),
            "rejected_by_reason": dict(sorted(self._rejected.items())),
            **{f"{name}_events_processed": count for name, count in self._types.items()},
            "bytes_processed": self._lines["bytes"],
            "files_processed": self.files_loaded,
            "files_failed": self.files_failed,
            "errors": self._errors,
        }


def section_of(refs: Iterable[ObjectRef]) -> str | None:
    """The section that all objects belong to, by their keys; None where there are several or none."""
    sections = {parsed.section_id if (parsed := parse_key(ref.key)) else None for ref in refs}
    return sections.pop() if len(sections) == 1 else None
