"""Alerts by webhook: a window failed, was quarantined, lost messages, or looks odd.

The webhook gets one JSON object by POST, whose `text` is a sentence, as chat systems want it. It never holds a
learner's identifier. An alert that cannot be delivered is logged and stops nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from schoolhouse import webhook
from schoolhouse.lake.ledger import QUARANTINED

if TYPE_CHECKING:
    from schoolhouse.errors import SchoolhouseError
    from schoolhouse.lake.ledger import Done, Plan
    from schoolhouse.settings import Settings

log = logging.getLogger(__name__)


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
    if done.state == QUARANTINED and done.quarantined_rows:  # not once more when a later slice ends the window
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
    if reason := webhook.send(url, body):
        log.warning("an alert was not delivered", extra={"kind": body["kind"], "reason": reason})
