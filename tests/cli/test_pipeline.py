"""`schoolhouse pipeline` tells what waits, and delivers it."""

import json

from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.collect.bundles import BundleGroup
from schoolhouse.collect.spool import Bundle, Spool

ENVIRONMENT = {"XAPI_ETL_MODE": "file", "SCHOOLHOUSE_DATA_DIR": "data"}


def _run(*arguments):
    return CliRunner().invoke(app, ["pipeline", *arguments], env=ENVIRONMENT)


def _accept(tmp_path):
    spool = Spool(tmp_path / "data" / "spool.sqlite")
    spool.accept([Bundle(BundleGroup("section", "1", "video"), b"a\nb")])
    spool.close()


def test_stats_of_a_pipeline_that_never_ran_are_zero():
    assert json.loads(_run("stats", "--json").stdout)["queued"] == 0


def test_stats_are_a_table_for_people(tmp_path):
    _accept(tmp_path)
    assert "queued" in _run("stats").stdout


def test_drain_delivers_what_waits(tmp_path):
    _accept(tmp_path)
    assert json.loads(_run("stats", "--json").stdout)["queued"] == 1
    drained = _run("drain", "--json")
    assert drained.exit_code == 0
    assert json.loads(drained.stdout)["delivered"] == 1
    assert len(list((tmp_path / "data" / "bundles").rglob("*.jsonl"))) == 1
    assert "stay in the spool" not in drained.stderr


def test_drain_fails_when_something_is_left(tmp_path):
    _accept(tmp_path)
    (tmp_path / "data" / "bundles").write_text("in the way")
    drained = _run("drain", "--timeout", "5")
    assert drained.exit_code == 1
    assert "Cannot write" in drained.stdout
    assert "stay in the spool" in drained.stderr
