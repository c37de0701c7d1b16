"""Every answer carries the security headers, and foreign names are refused."""

from __future__ import annotations

import gzip

import pytest

from schoolhouse.settings import Settings
from schoolhouse.web.frame import is_local
from tests.web.conftest import Site, serving


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/sections", "/healthz", "/sections/42@torus.example"])
def test_every_answer_carries_the_headers(site: Site, path: str) -> None:
    headers = site.page(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/healthz", "/", "/sections/42@torus.example", "/xAPI/about"])
def test_head_answers_as_get_does_without_the_body(site: Site, path: str) -> None:
    reply = site.request("HEAD", path, headers={"Accept": "text/html"})
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == site.page(path).headers["content-type"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]"])
def test_a_foreign_host_is_refused(site: Site, host: str) -> None:
    reply = site.get("/api/sections", Host=host)
    assert (reply.status, reply.json()["error"]["code"]) == (403, "access_refused")
    assert "content-security-policy" in reply.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:8000"])
def test_this_machine_is_answered(site: Site, host: str) -> None:
    assert site.get("/healthz", Host=host).status == 200


def test_pages_are_compressed_where_the_browser_takes_that(site: Site) -> None:
    reply = site.get("/", **{"Accept": "text/html", "Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert "<h1>Sections</h1>" in gzip.decompress(reply.body).decode()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("a.example", False),
    ],
)
def test_listening_beyond_this_machine_is_noticed(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_our_own_failure_tells_the_caller_nothing_and_the_log_all(
    campus_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a detail of ours")

    with serving(campus_settings) as site:
        site.app.add_api_route("/api/fail", fail, include_in_schema=False)
        site.app.add_api_route("/fail", fail, include_in_schema=False)
        reply, page = site.get("/api/fail"), site.page("/fail")
    assert (reply.status, reply.json()["error"]["code"]) == (500, "internal")
    assert page.status == 500
    for answer in (reply, page):
        assert "a detail of ours" not in answer.text
        assert "content-security-policy" in answer.headers
    assert "a detail of ours" in caplog.text
