"""Clients get in with their secret and no other, and no secret is kept."""

import base64
import stat

import pytest

from schoolhouse.collect.clients import Clients
from schoolhouse.errors import InputError, UsageError


def _basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clients.json"


def test_a_client_signs_in_with_basic_and_with_a_token(path):
    secret = Clients(path).add("lms", "write")
    clients = Clients(path)
    for header in (_basic("lms", secret), f"Bearer lms.{secret}", f"bearer  lms.{secret}"):
        client = clients.signed_in(header)
        assert client is not None
        assert (client.name, client.may("write"), client.may("read")) == ("lms", True, False)


def test_wrong_credentials_do_not_get_in(path):
    clients = Clients(path)
    secret = clients.add("lms", "all")
    assert clients.signed_in(_basic("lms", secret))
    wrong = ["", "Basic", "Basic !", "Digest x", "Bearer ", "Bearer lms", "Basic /w==", _basic("lms", secret + "x")]
    for header in [*wrong, _basic("other", secret), _basic("", secret), f"Bearer {secret}"]:
        assert clients.signed_in(header) is None


def test_only_a_secret_that_was_found_right_is_remembered(path):
    clients = Clients(path)
    secret = clients.add("lms", "all")
    right, wrong = _basic("lms", secret), _basic("lms", secret + "x")
    assert not clients.remembers(right)
    assert clients.signed_in(right)
    assert clients.signed_in(wrong) is None
    assert clients.remembers(right)
    assert not any(clients.remembers(header) for header in (wrong, "", "Basic !", _basic("other", secret)))
    Clients(path).remove("lms")
    assert not clients.remembers(right)


def test_the_file_holds_no_secret_and_nobody_else_may_read_it(path):
    secret = Clients(path).add("lms", "all")
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_client_that_was_removed_or_renewed_is_refused_with_its_old_secret(path):
    running, other = Clients(path), Clients(path)
    old = other.add("lms", "all")
    assert running.signed_in(_basic("lms", old))
    other.remove("lms")
    assert running.signed_in(_basic("lms", old)) is None
    new = other.add("lms", "all")
    assert running.signed_in(_basic("lms", old)) is None
    assert running.signed_in(_basic("lms", new))


def test_names_and_rights_that_make_no_sense_are_refused(path):
    clients = Clients(path)
    clients.add("lms", "read")
    for name, right in (("lms", "all"), ("a.b", "all"), ("", "all"), ("x", "own")):
        with pytest.raises(UsageError):
            clients.add(name, right)
    with pytest.raises(UsageError, match="no client"):
        clients.remove("nobody")


def test_a_file_that_was_damaged_is_named(path):
    path.write_text("{")
    with pytest.raises(InputError, match=r"clients\.json cannot be read"):
        Clients(path).signed_in("Bearer a.b")
