"""The entry of AWS Lambda: `schoolhouse.etl.lambda_entry.lambda_handler`.

Everything heavy is imported with the first event, and kept for the next. Importing this module takes a few
milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schoolhouse.etl.handler import Handler

_kept: list[Handler] = []


def lambda_handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer one event. `context` is AWS's, and tells how much time is left."""
    return _handler().handle(event, time_left=lambda: context.get_remaining_time_in_millis() / 1000)


def _handler() -> Handler:
    if not _kept:
        from schoolhouse.errors import SettingsError
        from schoolhouse.etl.handler import Handler
        from schoolhouse.observe import configure_logging
        from schoolhouse.settings import load_settings

        settings = load_settings()
        if settings.is_embedded:
            raise SettingsError("The function has no ClickHouse.", hint="Set CLICKHOUSE_HOST and CLICKHOUSE_PASSWORD.")
        configure_logging(settings.log_level, settings.log_format)
        _kept.append(Handler(settings, who=f"lambda {settings.environment}"))
    return _kept[0]
