"""Every setting once: its environment name, default, unit and meaning. One module a group.

Values come from the environment, then from `.env` in the working directory, then from the defaults. With nothing set,
everything lives in `./schoolhouse-data/`. `example.env` is written from these modules (`make example-env`), and a test
keeps the two equal.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import AliasChoices, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schoolhouse.errors import SettingsError
from schoolhouse.settings.backfill import Backfill
from schoolhouse.settings.collect import Collect
from schoolhouse.settings.etl import Etl
from schoolhouse.settings.kinds import Group
from schoolhouse.settings.lake import Lake
from schoolhouse.settings.process import Process
from schoolhouse.settings.warehouse import Warehouse
from schoolhouse.settings.web import Web


class Settings(Warehouse, Collect, Etl, Backfill, Web, Lake, BaseSettings):
    """The settings of one process. Build it with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", populate_by_name=True, frozen=True, defer_build=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any, info: ValidationInfo) -> Any:
        """`NAME=` in a file stands for a default of None, as if the line were not there."""
        if value == "" and cls.model_fields[str(info.field_name)].default is None:
            return None
        return value


_GROUPS: Final[tuple[type[Group], ...]] = (Process, Warehouse, Collect, Etl, Backfill, Web, Lake)


def environment_name(field_name: str) -> str:
    """The (first) environment name of a setting."""
    alias = Settings.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` (by field name) win over the environment.

    Raises:
        SettingsError: naming every wrong setting by its environment name, never its value if it is a secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Wrong settings: {problems}.", hint="See example.env for every setting.") from None


def example_env() -> str:
    """The text of `example.env`: every setting with its meaning and default, commented out, group by group."""
    lines = [
        "# Every setting of Schoolhouse. Copy to .env and change what you need; what is commented out has its default.",
        "# Written by `make example-env` from src/schoolhouse/settings/.",
        "",
    ]
    for group in _GROUPS:
        lines += ["", f"# --- {group.__doc__} ---", ""]
        for name in group.__annotations__:
            field = group.model_fields[name]
            default = field.default
            if isinstance(default, SecretStr):
                default = default.get_secret_value()
            lines += [
                f"# {field.description}",
                f"#{environment_name(name)}={'' if default is None else default}",
                "",
            ]
    return "\n".join(lines)
