"""`schoolhouse xapi` adds, lists and removes clients."""

import json

from typer.testing import CliRunner

from schoolhouse.cli import app
from schoolhouse.collect.clients import Clients
from schoolhouse.errors import UsageError


def _run(tmp_path, *arguments):
    environment = {"SCHOOLHOUSE_DATA_DIR": str(tmp_path / "data")}
    return CliRunner().invoke(app, ["xapi", *arguments], env=environment)


def test_a_client_is_added_listed_and_removed(tmp_path):
    added = json.loads(_run(tmp_path, "add-client", "lms", "--right", "write", "--json").stdout)
    clients = Clients(tmp_path / "data" / "xapi-credentials.json")
    assert clients.signed_in(f"Bearer {added['token']}").right == "write"
    (listed,) = json.loads(_run(tmp_path, "clients", "--json").stdout)
    assert (listed["name"], "secret" in listed, "hash" in listed) == ("lms", False, False)
    assert "lms" in _run(tmp_path, "clients").stdout
    assert _run(tmp_path, "remove-client", "lms").exit_code == 0
    assert json.loads(_run(tmp_path, "clients", "--json").stdout) == []


def test_the_secret_is_shown_to_people_once(tmp_path):
    assert "secret" in _run(tmp_path, "add-client", "lms").stdout
    again = _run(tmp_path, "add-client", "lms")
    assert isinstance(again.exception, UsageError)
