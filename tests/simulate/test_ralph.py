"""A real Ralph server, from PyPI and in an environment of its own, takes a run over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.ralph import Store, install_ralph, running_ralph
from tests.simulate.conftest import Aspects, example
from tests.simulate.test_load_db import load

pytestmark = pytest.mark.slow


def test_ralph_takes_a_run(monkeypatch: pytest.MonkeyPatch, aspects: Aspects, tmp_path: Path) -> None:
    store = Store(aspects.server.host, aspects.server.port, aspects.xapi)
    with running_ralph(install_ralph(ROOT / ".venv-ralph"), store, tmp_path) as url:
        config = example("ralph_clickhouse.yaml") | aspects.keys | {"lrs_url": url}
        assert load(monkeypatch, config) == 0
    stored = aspects.rows("xapi_events_all", "event_id")
    assert len(stored) == len(set(stored)) == 3_000
    assert len(aspects.rows("external_id")) == 40
