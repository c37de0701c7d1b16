"""What several groups of settings share."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]

# A hundred years, so that what is counted back from today is a date.
MOST_DAYS: Final = 36_500
MOST_HOURS: Final = MOST_DAYS * 24
MOST_SECONDS: Final = MOST_HOURS * 3600


class Group(BaseModel):
    """Settings of one area. Nothing is built until `Settings` puts the groups together."""

    model_config = ConfigDict(defer_build=True)
