"""What several groups of settings share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class Group(BaseModel):
    """Settings of one area. Nothing is built until `Settings` puts the groups together."""

    model_config = ConfigDict(defer_build=True)
