"""The statements resource, asked over HTTP, on the embedded engine and on a server."""

import base64
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from schoolhouse.collect import statement_store
from schoolhouse.collect.clients import Clients
from schoolhouse.collect.validation import read_statement
from schoolhouse.warehouse import migrations
from schoolhouse.warehouse.connection import open_warehouse
from schoolhouse.warehouse.loads import start_load
from schoolhouse.web.app import create_app

from .statements import AGENT, FULL, SMALL, changed, new_statement
from .xapi_site import serving

E = "http://oli.cmu.edu/extensions/"


@pytest.fixture
def settings(migrated_settings, tmp_path):
    return migrated_settings.model_copy(update={"xapi_credentials_file": tmp_path / "clients.json"})


@pytest.fixture
def site(settings):
    with serving(settings) as served:
        yield served


embedded = pytest.mark.parametrize("handle", ["embedded"], indirect=True)


def _count(settings, table="raw_events"):
    with open_warehouse(settings, role="reader") as warehouse:
        return warehouse.ask(f"SELECT count() FROM {table} FINAL", why="test").value()


def test_a_statement_that_was_posted_is_there_at_once(site):
    statement = new_statement()
    posted = site.post(statement)
    assert (posted.status, posted.json) == (200, [statement["id"]])
    got = site.get(statementId=statement["id"])
    assert got.status == 200
    assert {name: got.json[name] for name in statement} == statement


def test_a_batch_answers_its_ids_in_order(site, settings):
    statements = [new_statement() for _ in range(30)]
    posted = site.post(statements)
    assert posted.json == [one["id"] for one in statements]
    assert _count(settings) == 30


def test_a_statement_keeps_its_own_bytes_and_gets_what_it_lacks_in_front(site):
    raw = json.dumps(SMALL, indent=2, ensure_ascii=False).encode()
    (statement_id,) = site.post(raw).json
    got = site.get(statementId=statement_id)
    assert got.body.endswith(raw.replace(b"\n", b" ")[1:])
    assert set(got.json) - set(SMALL) == {"id", "stored", "authority", "timestamp", "version"}
    assert got.json["timestamp"] == got.json["stored"]
    assert got.json["version"] == "1.0.0"
    assert got.json["authority"]["account"] == {"homePage": "http://localhost:8000", "name": "tests"}


@embedded
def test_what_the_client_says_about_stored_and_authority_is_replaced(site):
    other = {"mbox": "mailto:somebody@h.example"}
    statement = new_statement(stored="2001-01-01T00:00:00Z", authority=other, version="1.0.1")
    site.post(statement)
    got = site.get(statementId=statement["id"]).json
    assert got["stored"] > "2026"
    assert got["authority"]["account"]["name"] == "tests"
    assert got["version"] == "1.0.1"
    assert got["context"] == statement["context"]


@embedded
def test_a_statement_with_a_time_and_without_an_id_is_the_same_when_it_is_sent_again(site, settings):
    statement = changed("id", ..., FULL)
    first, second = site.post(statement), site.post([statement, statement])
    assert second.json == first.json * 2
    assert _count(settings) == 1


@embedded
def test_statements_without_id_and_time_are_events_of_their_own(site, settings):
    first, second = site.post(SMALL), site.post([SMALL, SMALL])
    assert len({*first.json, *second.json}) == 3
    assert _count(settings) == 3


def test_the_same_statement_counts_once_by_any_route(site, settings):
    with_id, without_id = new_statement(), changed("id", ..., new_statement())
    lines = b"\n".join(json.dumps(one).encode() for one in (with_id, without_id))
    with (
        open_warehouse(settings, who="tests") as warehouse,
        start_load(warehouse, route="file", source="f") as load,
    ):
        load.add_lines(lines, source_file="f", first_line=1)
    posted = site.post([with_id, without_id])
    assert posted.status == 200
    assert _count(settings) == 2
    assert sorted(posted.json) == sorted(site.ids())


def test_a_statement_of_another_route_is_read_with_what_readers_expect(site, settings):
    line = json.dumps(changed("id", ..., FULL)).encode()
    with (
        open_warehouse(settings, who="tests") as warehouse,
        start_load(warehouse, route="file", source="f") as load,
    ):
        load.add_lines(line, source_file="f", first_line=1)
    (found,) = site.get().json["statements"]
    assert found["stored"] > "2026"
    assert found["authority"]["account"]["name"] == "schoolhouse"
    assert site.get(statementId=found["id"]).json == found


def test_an_id_that_belongs_to_another_statement_is_a_conflict_and_nothing_is_stored(site, settings):
    statement = new_statement()
    site.post(statement)
    refused = site.post([new_statement(), changed("verb.id", "http://h.example/other", statement)])
    assert refused.status == 409
    assert statement["id"] in refused.reason
    assert _count(settings) == 1
    assert site.get(statementId=statement["id"]).json["verb"]["id"] == statement["verb"]["id"]


@embedded
def test_an_equal_statement_however_written_is_no_conflict(site, settings):
    statement = new_statement()
    site.post(statement)
    equal = changed("timestamp", "2026-08-01T14:00:00.123+02:00", statement)
    equal = changed("result.score.raw", 1.0, equal)
    equal = changed("verb.display", {"de": "abgeschlossen"}, equal)
    equal["id"] = equal["id"].upper()
    assert site.post(json.dumps(equal, indent=1, sort_keys=True).encode()).status == 200
    assert site.put(statement["id"], equal).status == 204
    assert _count(settings) == 1


@embedded
def test_a_statement_that_says_something_else_is_a_conflict(site):
    statement = new_statement(actor={"mbox": "mailto:a@h.example"})
    site.post(statement)
    for path, value in {
        "result.success": True,
        "timestamp": "2026-08-01T12:00:00.124Z",
        "result.score.raw": 0.5,
        "actor": AGENT,
    }.items():
        assert site.put(statement["id"], changed(path, value, statement)).status == 409


@embedded
def test_of_two_requests_that_bring_an_id_at_the_same_moment_one_is_refused(site, settings):
    for _ in range(10):
        statement = new_statement()
        variants = [changed("result.response", str(n), statement) for n in range(6)]
        replies = [None] * 6

        def send(n, replies=replies, variants=variants):
            replies[n] = site.post(variants[n]).status

        threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(replies) == [200, 409, 409, 409, 409, 409]
    assert _count(settings) == 10


@embedded
def test_an_id_twice_in_a_batch_is_refused(site, settings):
    statement = new_statement()
    assert site.post([statement, statement]).status == 400
    assert _count(settings) == 0


def test_one_bad_statement_refuses_its_whole_batch(site, settings):
    refused = site.post([new_statement(), changed("verb.id", "x", new_statement()), new_statement()])
    assert refused.status == 400
    assert refused.reason.startswith("Statement 2 of 3")
    assert "verb.id" in refused.reason
    assert _count(settings) == 0


@embedded
def test_put_takes_the_id_of_the_request(site):
    statement_id = str(uuid.uuid4())
    assert site.put(statement_id, SMALL).status == 204
    assert site.get(statementId=statement_id).json["id"] == statement_id
    assert site.put(str(uuid.uuid4()), new_statement()).status == 400
    assert site.put("1", SMALL).status == 400
    assert site.request("PUT", "/xAPI/statements", b"{}", {"Content-Type": "application/json"}).status == 400


@embedded
def test_an_empty_list_stores_nothing(site):
    assert site.post([]).json == []


@pytest.fixture
def many(site):
    """Statements of several learners and verbs, each posted by itself."""
    other = {"mbox": "mailto:other@h.example"}
    statements = [
        new_statement(),
        new_statement(actor=other),
        new_statement(actor=other, verb={"id": "http://h.example/verbs/played"}),
        new_statement(object={"id": "https://h.example/video/1"}),
        {**new_statement(actor=other, object=AGENT), "context": {}},
        new_statement(actor={"objectType": "Group", "member": [AGENT, {"mbox": "mailto:third@h.example"}]}),
    ]
    for statement in statements:
        assert site.post(statement).status == 200
    return [one["id"] for one in statements]


def test_statements_are_found_by_agent_verb_activity_and_registration(site, many):
    by_account = site.ids(agent=json.dumps(AGENT), ascending="true")
    assert by_account == [many[0], many[3], many[4], many[5]]
    assert site.ids(agent='{"mbox":"mailto:other@h.example"}', ascending="true") == [many[1], many[2], many[4]]
    assert site.ids(agent='{"mbox":"mailto:third@h.example"}') == [many[5]]
    assert site.ids(agent='{"mbox":"mailto:nobody@h.example"}') == []
    assert site.ids(verb="http://h.example/verbs/played") == [many[2]]
    assert site.ids(activity="https://h.example/video/1") == [many[3]]
    registration = FULL["context"]["registration"].upper()
    assert len(site.ids(registration=registration)) == 5
    assert site.ids(verb="http://h.example/verbs/played", activity="https://h.example/video/1") == []


def test_the_newest_come_first_unless_asked_otherwise(site, many):
    assert site.ids() == many[::-1]
    assert site.ids(ascending="true") == many


def test_since_is_exclusive_and_until_inclusive_and_both_mean_stored(site, many):
    stored = [site.get(statementId=one).json["stored"] for one in many]
    assert sorted(set(stored)) == stored
    assert site.ids(since=stored[2], ascending="true") == many[3:]
    assert site.ids(until=stored[2], ascending="true") == many[:3]
    assert site.ids(since=stored[0], until=stored[1]) == [many[1]]
    later = datetime.fromisoformat(stored[2]).astimezone() + timedelta(microseconds=500)
    assert site.ids(until=later.isoformat(), ascending="true") == many[:3]
    for before in ("1969-12-31T00:00:00Z", "0001-01-01T00:00:00+05:00"):  # no statement can be stored so early
        assert site.ids(since=before) == many[::-1]
        assert site.ids(until=before) == []
    for after in ("2600-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):  # nor so late
        assert site.ids(since=after) == []
        assert site.ids(until=after) == many[::-1]


def test_pages_hold_every_statement_once_while_others_arrive(site, many):
    for order in ("false", "true"):
        reply = site.get(limit="2", ascending=order)
        seen = [one["id"] for one in reply.json["statements"]]
        while reply.json["more"]:
            assert reply.json["more"].startswith("/xAPI/statements?")
            if order == "false":
                site.post(new_statement())
            reply = site.get(reply.json["more"])
            seen += [one["id"] for one in reply.json["statements"]]
        wanted = site.ids(ascending=order)
        assert seen == wanted[-len(seen) :]
        assert set(many) <= set(seen)


@embedded
def test_the_limit_of_the_server_holds(settings):
    with serving(settings.model_copy(update={"xapi_max_statements": 3})) as site:
        site.post([new_statement() for _ in range(5)])
        for limit in ("0", "100", "99999999999999999999"):
            assert len(site.ids(limit=limit)) == 3
        assert len(site.ids(limit="2")) == 2


SENSELESS = [
    {"unknown": "1"},
    {"statementId": "x"},
    {"statementId": FULL["id"], "verb": "http://h.example"},
    {"statementId": FULL["id"], "voidedStatementId": FULL["id"]},
    {"agent": "{}"},
    {"agent": "jane"},
    {"agent": '{"objectType":"Group","member":[{"mbox":"mailto:a@h.example"}]}'},
    {"verb": "played"},
    {"activity": "page"},
    {"registration": "1"},
    {"since": "yesterday"},
    {"until": "2026-13-01T00:00:00Z"},
    {"limit": "-1"},
    {"limit": "many"},
    {"ascending": "1"},
    {"format": "short"},
    {"cursor": "x"},
]


@embedded
def test_a_parameter_that_makes_no_sense_is_refused(site):
    for parameters in SENSELESS:
        refused = site.get(**parameters)
        assert refused.status == 400, parameters
        assert next(iter(parameters)) in refused.reason


@embedded
def test_what_is_not_built_yet_says_so(site):
    for name, value in {
        "format": "ids",
        "attachments": "true",
        "related_agents": "true",
        "related_activities": "true",
    }.items():
        assert site.get(**{name: value}).status == 501


@embedded
def test_voiding_attachments_and_other_resources_are_refused_plainly(site, settings):
    void = {**SMALL, "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}}
    void["object"] = {"objectType": "StatementRef", "id": FULL["id"]}
    assert site.post(void).status == 501
    assert site.post(b"--x", **{"Content-Type": "multipart/mixed; boundary=x"}).status == 501
    assert site.request("POST", "/xAPI/statements?method=GET", b"x").status == 501
    assert site.get("/xAPI/activities/state").status == 501
    assert site.get("/xAPI/nothing").status == 404
    assert site.get(voidedStatementId=FULL["id"]).status == 404
    assert site.request("DELETE", "/xAPI/statements").status == 405
    assert _count(settings) == 0


@embedded
def test_an_id_that_nobody_has_is_not_found(site):
    missing = site.get(statementId=str(uuid.uuid4()))
    assert missing.status == 404
    assert site.get(verb="http://h.example/none").json == {"statements": [], "more": ""}


@embedded
def test_every_answer_names_the_version_and_how_far_it_is_consistent(site):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    answers = [
        site.post(new_statement()),
        site.get(),
        site.get(unknown="1"),
        site.get(statementId=str(uuid.uuid4())),
        site.post(b"{"),
        site.request("GET", "/xAPI/statements", headers={"Authorization": None}),
        site.request("GET", "/xAPI/statements", headers={"X-Experience-API-Version": None}),
        site.request("DELETE", "/xAPI/statements"),
    ]
    for answer in answers:
        assert answer.headers["x-experience-api-version"] == "1.0.3"
        assert datetime.fromisoformat(answer.headers["x-experience-api-consistent-through"]) >= before
    assert site.get("/xAPI/about").json == {"version": ["1.0.3"]}
    assert site.get("/xAPI/activities/state").headers["x-experience-api-version"] == "1.0.3"


@embedded
def test_a_request_without_a_version_that_is_spoken_here_is_refused(site):
    for version in (None, "2.0.0", "0.95", "1.1.0", "x"):
        assert site.request("GET", "/xAPI/statements", headers={"X-Experience-API-Version": version}).status == 400


@embedded
def test_head_answers_as_get_does_without_a_body(site):
    statement = new_statement()
    site.post(statement)
    for path in ("/xAPI/statements", f"/xAPI/statements?statementId={statement['id']}", "/xAPI/statements?limit=x"):
        got, head = site.request("GET", path), site.request("HEAD", path)
        assert (head.status, head.body) == (got.status, b"")
    assert "GMT" in site.get(statementId=statement["id"]).headers["last-modified"]


@embedded
def test_only_json_is_taken(site):
    for content_type in (None, "text/plain", "application/x-www-form-urlencoded"):
        assert site.post(new_statement(), **{"Content-Type": content_type}).status == 400


@embedded
def test_a_body_or_a_statement_that_is_too_large_is_refused(settings):
    small = settings.model_copy(update={"xapi_max_body_bytes": 50_000, "max_line_bytes": 10_000})
    with serving(small) as site:
        assert site.post([new_statement() for _ in range(100)]).status == 413
        assert site.post(changed("result.response", "x" * 20_000)).status == 413
        assert site.post(new_statement()).status == 200


@embedded
def test_only_clients_with_the_right_get_in(settings):
    clients = Clients(settings.credentials_file)
    reader, writer = clients.add("reader", "read"), clients.add("writer", "write")
    with serving(settings) as site:
        basic = {"Authorization": "Basic " + base64.b64encode(f"writer:{writer}".encode()).decode()}
        token = {"Authorization": f"Bearer reader.{reader}"}
        assert site.post(new_statement(), **basic).status == 200
        assert site.post(new_statement(), **token).status == 403
        assert site.request("GET", "/xAPI/statements", headers=token).status == 200
        assert site.request("GET", "/xAPI/statements", headers=basic).status == 403
        for wrong in (None, "", "Basic x", "Bearer reader.wrong", "Bearer nobody.x", "Basic d3JpdGVyOndyb25n"):
            refused = site.request("GET", "/xAPI/statements", headers={"Authorization": wrong})
            assert refused.status == 401
            assert refused.headers["www-authenticate"].startswith("Basic")
        clients.remove("reader")
        assert site.request("GET", "/xAPI/statements", headers=token).status == 401


@embedded
def test_statements_of_the_resource_are_counted_as_a_load(settings):
    with serving(settings) as site:
        site.post([new_statement() for _ in range(3)])
        site.post(new_statement())
    with open_warehouse(settings, role="reader") as warehouse:
        (load,) = warehouse.ask("SELECT route, lines, new, finished_at FROM loads FINAL", why="test").rows
    assert load[:3] == ("xapi", 4, 4)
    assert load[3] is not None


@embedded
def test_every_statement_is_in_the_accounts_of_a_load_whenever_the_accounts_are_closed(settings, monkeypatch):
    monkeypatch.setattr(statement_store, "_LOAD_SECONDS", 0.02)  # so that many an insert is under way at that moment
    with serving(settings) as site:
        for _ in range(4):
            assert site.post(new_statement()).status == 200
    with open_warehouse(settings, role="reader") as warehouse:
        (accounts,) = warehouse.ask(
            "SELECT sum(lines), sum(new), countIf(finished_at IS NULL) FROM loads FINAL", why="t"
        ).rows
    assert accounts == (4, 4, 0)


@embedded
def test_a_request_that_cannot_be_written_spoils_none_that_shares_its_insert(settings):
    store = statement_store.StatementStore(settings)
    raws = [json.dumps(new_statement()).encode() for _ in range(3)]
    incoming = [statement_store.receive(raw, read_statement(raw), max_bytes=100_000) for raw in raws]
    incoming[1] = msgspec.structs.replace(incoming[1], line=b"no statement", replaces=True)
    outcomes = store._commit([statement_store.Request((one,), b"{}") for one in incoming])
    store.close()
    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "DecodeError", "NoneType"]
    assert _count(settings) == 2


@embedded
def test_a_warehouse_that_fails_is_answered_with_503_and_nothing_is_promised(settings):
    with serving(settings) as site:
        with open_warehouse(settings, who="tests") as warehouse:
            warehouse.run("RENAME TABLE ingest TO away", why="test")
        refused = site.post(new_statement())
        assert refused.status >= 400
        with open_warehouse(settings, who="tests") as warehouse:
            warehouse.run("RENAME TABLE away TO ingest", why="test")
        assert site.post(new_statement()).status == 200


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_a_server_that_starts_before_its_warehouse_is_set_up_takes_statements_afterwards(warehouse_settings, tmp_path):
    settings = warehouse_settings.model_copy(update={"xapi_credentials_file": tmp_path / "clients.json"})
    with serving(settings) as site:
        assert site.post(new_statement()).status == 503
        assert site.get().status in {400, 503}
        with open_warehouse(settings, who="tests", must_exist=False) as warehouse:
            migrations.up(warehouse)
        assert site.post(new_statement()).status == 200


@embedded
def test_the_app_of_serve_has_the_resource_and_describes_its_own_api(settings):
    with serving(settings, create_app(settings)) as site:
        statement = new_statement()
        assert site.post(statement).status == 200
        assert site.ids() == [statement["id"]]
        assert site.get("/api/openapi.json").status == 200
