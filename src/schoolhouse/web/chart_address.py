"""What the address of a chart says: dates, filters, and, on a dashboard, the category.

Empty values count as not given, so that a form may send all its fields; lists may be repeated or written with commas.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from schoolhouse.analytics.answers import MOST_TOP, ChartFilters, Step
from schoolhouse.analytics.catalogue import Category
from schoolhouse.errors import UsageError

_LONGEST_LIST: Final = 200


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _split(value: Any) -> Any:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return texts
    return [part.strip() for text in texts for part in str(text).split(",") if part.strip()]


def _or(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value == "" else value)


Day = Annotated[date | None, BeforeValidator(_none_if_empty)]
Names = Annotated[
    list[Annotated[str, Field(max_length=2000)]], BeforeValidator(_split), Field(max_length=_LONGEST_LIST)
]


class ChartAddress(BaseModel):
    """The filters of one chart."""

    since: Day = Field(None, description="First day that counts, UTC.")
    until: Day = Field(None, description="First day that counts no more, UTC.")
    event_types: Names = Field([], description="Kinds of events; none: all. Repeat it, or write commas.")
    pages: Names = Field([], description="Pages: numbers, or addresses of subsections; none: all.")
    activities: Names = Field([], description="Activities: numbers, or addresses of problems; none: all.")
    video: str = Field("", max_length=2000, description="The video of the watch curve; none: the one played most.")
    top: Annotated[int, _or(20)] = Field(20, ge=1, le=MOST_TOP, description="How many rows a ranking shows.")
    min_group: Annotated[int, _or(1)] = Field(
        1, ge=1, le=1000, description="Groups of fewer learners are hidden; a setting may ask for more."
    )
    step: Annotated[Step, _or("week")] = Field("week", description="Width of the steps in time.")
    silent_days: Annotated[int, _or(7)] = Field(
        7, ge=1, le=3650, description="From how many days without an event on a learner is silent."
    )

    def filters(self) -> ChartFilters:
        """As the questions take them. Raises UsageError when the dates hold no day."""
        return ChartFilters(
            since=self.since,
            until=self.until,
            event_types=tuple(self.event_types),
            pages=tuple(self.pages),
            activities=tuple(self.activities),
            video=self.video,
            top=self.top,
            min_group=self.min_group,
            step=self.step,
            silent_days=self.silent_days,
        )

    def query(self, **changes: Any) -> str:
        """`?…` of the same address with changes, without what is as by default; or nothing."""
        changed = self.model_copy(update=changes)
        given = {
            name: ",".join(value) if isinstance(value, list) else value
            for name, value in changed.model_dump(mode="json").items()
            if value != type(self).model_fields[name].get_default() and value is not None
        }
        return f"?{urlencode(given)}" if given else ""


def read_filters(given: Mapping[str, Any]) -> ChartFilters:
    """Filters from a command line. Raises UsageError."""
    if unknown := given.keys() - ChartAddress.model_fields.keys():
        raise UsageError(
            f"There is no filter {min(unknown)!r}.", hint=f"There are: {', '.join(ChartAddress.model_fields)}."
        )
    try:
        return ChartAddress.model_validate(given).filters()
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(f"The filter {problem['loc'][0]} is wrong: {problem['msg']}.") from None


class DashboardAddress(ChartAddress):
    """The address of a dashboard."""

    category: Annotated[Category, _or("engagement")] = "engagement"
