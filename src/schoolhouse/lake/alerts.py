"""Alerts by webhook: a window failed, was quarantined, lost messages, or looks odd.

The webhook gets one JSON object by POST, whose `text` is a sentence, as chat systems want it. It never holds a
learner's identifier. An alert that cannot be delivered is logged and stops nothing.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from schoolhouse.lake.ledger import QUARANTINED

if TYPE_CHECKING:
    from schoolhouse.errors import SchoolhouseError
    from schoolhouse.lake.ledger import Done, Plan
    from schoolhouse.settings import Settings

log = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 10


def window_failed(settings: Settings, plan: Plan, error: SchoolhouseError) -> None:
    """A window could not be loaded."""
    text = f"The window {plan.window} of {plan.dataset} failed: {error.message}"
    _send(settings, "window_failed", text, plan, {"code": error.code, "is_retryable": error.is_retryable})


def window_done(settings: Settings, plan: Plan, done: Done) -> None:
    """A window is done: tell what is not as it should be."""
    facts = {"score": done.score, "level": done.level, "rows": done.rows, "poison": done.poison}
    subject = f"The window {plan.window} of {plan.dataset}"
    if done.expired:
        text = f"{subject} lost {done.expired} messages: the broker had deleted them before they were read."
        _send(settings, "messages_expired", text, plan, {**facts, "expired": done.expired})
    if done.state == QUARANTINED:
        text = f"{subject} is quarantined: quality score {done.score}, {done.quarantined_rows} rows are held back."
        _send(settings, "window_quarantined", text, plan, facts)
    elif done.level in {"error", "warning"}:
        text = f"{subject} is loaded with quality level {done.level} and score {done.score}."
        _send(settings, "quality", text, plan, facts)
    elif done.level == "info":
        _send(settings, "anomaly", f"{subject} is loaded, and looks unlike others.", plan, facts)


def deadline_missed(settings: Settings, *, minutes: int) -> None:
    """An hour's run was not done in time."""
    _post(settings, {"kind": "deadline", "text": f"An hour of the lake was not loaded within {minutes} minutes."})


def _send(settings: Settings, kind: str, text: str, plan: Plan, facts: dict[str, Any]) -> None:
    _post(settings, {"kind": kind, "text": text, "dataset": plan.dataset, "window": str(plan.window), **facts})


def _post(settings: Settings, body: dict[str, Any]) -> None:
    url = settings.lake_alert_webhook.get_secret_value()
    if not url.startswith(("http://", "https://")):
        return
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()  # noqa: S310
    except (urllib.error.URLError, OSError, ValueError) as error:
        log.warning("an alert was not delivered", extra={"kind": body["kind"], "reason": type(error).__name__})
