"""What a statement may be: valid ones pass, and each fault is refused with a reason that names the property."""

import json
import re
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schoolhouse.collect.extensions import DEEPEST
from schoolhouse.collect.validation import read_body, read_statement
from schoolhouse.errors import InvalidStatement

from .statements import AGENT, FULL, SMALL, as_json, changed

SUB = {"objectType": "SubStatement", **{name: SMALL[name] for name in ("actor", "verb", "object")}}
REF = {"objectType": "StatementRef", "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"}
ATTACHMENT = {
    "usageType": "http://h.example/usage",
    "display": {"en-US": "A text"},
    "contentType": "text/plain; charset=ascii",
    "length": 27,
    "sha2": "495395e777cd98da653df9615d09c0fd6bb2f8d4788394cd53c56a3bfdcd848a",
    "fileUrl": "http://h.example/file.txt",
}

VALID = [
    ("object", AGENT),
    ("object", {"objectType": "Group", "mbox": "mailto:group@h.example"}),
    ("object", {"objectType": "Group", "member": [AGENT]}),
    ("object", REF),
    ("object", SUB),
    ("object", {**SUB, "object": REF, "timestamp": "2012-02-29T00:00:00+0130", "attachments": [ATTACHMENT]}),
    ("actor", {"objectType": "Group", "openid": "https://h.example/id", "member": []}),
    ("actor", {"mbox_sha1sum": "ebd31e95054c018b10727ccffd2ef2ec3a016ee9", "name": "N"}),
    ("attachments", [ATTACHMENT]),
    ("timestamp", "2026-08-01T12:00:00+02:00"),
    ("timestamp", "2016-12-31T23:59:60Z"),
    ("timestamp", "2026-08-01T12:00:00.123456789Z"),
    ("stored", "2013-05-18T05:32:34.804Z"),
    ("version", "1.0"),
    ("version", "1.0.3"),
    ("authority", {"objectType": "Group", "member": [AGENT, {"mbox": "mailto:app@h.example"}]}),
    ("id", "7CCD3322-E1A5-411A-A67D-6A735C76F119"),
    ("verb.id", "http://adlnet.gov/expapi/verbs/überholt"),
    ("context.language", "zh-Hant-TW"),
    ("context.language", "x-private"),
    ("verb.display", {"cmn-Hans-CN": "完成", "es-419": "completó"}),
    ("object.definition.extensions", {"http://h.example/x": [None, {"a": None}]}),
    *(
        ("result.duration", duration)
        for duration in ("PT4H35M59.14S", "PT16559.14S", "P3Y1M29DT4H35M59.14S", "P3Y", "P4W", "PT0S", "P1DT12H")
    ),
]

# path, value (`...` removes), and what the reason must name
FAULTS = [
    ("actor", ..., "actor"),
    ("verb", ..., "verb"),
    ("object", ..., "object"),
    ("verb.id", ..., "id"),
    ("verb.id", "completed", "verb.id"),
    ("verb.id", "ab=c://should.fail", "verb.id"),
    ("verb.id", "http://h.example/a b", "verb.id"),
    ("verb.id", "http://h.example/a\n", "verb.id"),
    ("verb.id", None, "verb.id"),
    ("verb.display", {"a12345": "no language"}, "verb.display"),
    ("verb.display", {"en": None}, "verb.display"),
    ("verb.display", "completed", "verb.display"),
    ("id", "7ccd3322", "id"),
    ("id", "MA97B177-9383-4934-8543-0F91A7A02836", "id"),
    ("id", "AA97B177-9383-4934-8543-0F91A7A028368", "id"),
    ("id", 5, "id"),
    ("result", None, "result"),
    ("unknown", 1, "unknown"),
    ("actor", {}, "mbox"),
    ("actor", {"name": "No identifier"}, "mbox"),
    ("actor", {**AGENT, "mbox": "mailto:a@h.example"}, "mbox"),
    ("actor", {**AGENT, "objectType": "Person"}, "actor.objectType"),
    ("actor", {**AGENT, "member": [AGENT]}, "member"),
    ("actor", {"objectType": "Group"}, "member"),
    ("actor", {"objectType": "Group", "member": []}, "member"),
    ("actor", {"objectType": "Group", "member": [{"objectType": "Group", "member": [AGENT]}]}, "member"),
    ("actor", {"objectType": "Group", "member": AGENT}, "member"),
    ("actor", {"objectType": "Group", "openid": "https://h.example/", "mbox": "mailto:a@h.example"}, "openid"),
    ("actor", {"mbox": "a@h.example"}, "actor.mbox"),
    ("actor", {"mbox_sha1sum": "abc"}, "actor.mbox_sha1sum"),
    ("actor", {"openid": "h.example"}, "actor.openid"),
    ("actor", {"account": {"homePage": "h.example", "name": "1"}}, "actor.account.homePage"),
    ("actor", {"account": {"homePage": "http://h.example", "name": 1}}, "actor.account.name"),
    ("actor", {"account": {"homePage": "http://h.example"}}, "name"),
    ("actor", {"account": {"name": "1"}}, "homePage"),
    ("actor", {**AGENT, "surname": "x"}, "surname"),
    ("object.id", "page/1", "id"),
    ("object.id", ..., "id"),
    ("object.objectType", "Page", "object.objectType"),
    ("object.mbox", "mailto:a@h.example", "mbox"),
    ("object.definition.type", "question", "object.definition.type"),
    ("object.definition.moreInfo", "more", "object.definition.moreInfo"),
    ("object.definition.subType", "graded", "subType"),
    ("object.definition.interactionType", "guess", "interactionType"),
    ("object.definition.interactionType", ..., "correctResponsesPattern"),
    ("object.definition.interactionType", "likert", "choices"),
    ("object.definition.choices", [{"id": "a"}, {"id": "a"}], "choices"),
    ("object.definition.correctResponsesPattern", "a", "correctResponsesPattern"),
    ("object.definition.extensions", {"no_iri": 1}, "extensions"),
    ("object.definition.extensions", [], "extensions"),
    ("object", {**REF, "definition": {}}, "definition"),
    ("object", {**REF, "id": "http://h.example"}, "id"),
    ("object", {**SUB, "object": SUB}, "SubStatement"),
    ("object", {**SUB, "id": str(uuid.uuid4())}, "id"),
    ("object", {**SUB, "stored": "2026-08-01T12:00:00Z"}, "stored"),
    ("object", {**SUB, "version": "1.0.0"}, "version"),
    ("object", {**SUB, "authority": AGENT}, "authority"),
    ("object", {name: value for name, value in SUB.items() if name != "verb"}, "verb"),
    ("object", AGENT, "context.revision"),
    ("result.score.scaled", 1.01, "result.score.scaled"),
    ("result.score.scaled", "0.5", "result.score.scaled"),
    ("result.score.raw", 3, "raw"),
    ("result.score.raw", -1, "raw"),
    ("result.score.min", 2, "min"),
    ("result.success", "true", "result.success"),
    ("result.completion", 1, "result.completion"),
    ("result.response", {"input": "a"}, "result.response"),
    ("result.message", "m", "message"),
    *(
        ("result.duration", duration, "result.duration")
        for duration in ("PA1H0M0S", "should fail", 12345, "P", "PT", "1H", "P1H", "PT1S\n", "P1W2D")
    ),
    ("context.registration", "42-500-1", "context.registration"),
    ("context.team", AGENT, "team"),
    ("context.instructor", {}, "context.instructor"),
    ("context.contextActivities", {"sibling": []}, "sibling"),
    ("context.contextActivities", "x", "context.contextActivities"),
    ("context.contextActivities.parent", [AGENT], "context.contextActivities.parent"),
    ("context.language", "a12345", "context.language"),
    ("context.statement", {"id": REF["id"]}, "objectType"),
    ("context.extensions", {"section_id": 1}, "extensions"),
    *(
        ("timestamp", timestamp, "timestamp")
        for timestamp in (
            "should fail",
            "01/011/2015",
            "2008-09-15",
            "2008-09-15T15:53:00",
            "2008-09-15T15:53:00.601-00",
            "2008-09-15T15:53:00.601-0000",
            "2008-09-15T15:53:00.601-00:00",
            "2026-02-30T12:00:00Z",
            "2026-08-01t12:00:00z",
            "2026-08-01T24:00:00Z",
            "1989-12-31T00:00:00Z",
            "2999-01-01T00:00:00Z",
            "٢٠٢٦-08-01T12:00:00Z",
            1785585600,
        )
    ),
    ("stored", "yesterday", "stored"),
    ("version", "2.0.0", "version"),
    ("version", "1.1.0", "version"),
    ("authority", {"objectType": "Group", "member": [AGENT]}, "authority"),
    ("attachments", ATTACHMENT, "attachments"),
    ("attachments", [{**ATTACHMENT, "usageType": "usage"}], "usageType"),
    ("attachments", [{**ATTACHMENT, "contentType": "text"}], "contentType"),
    ("attachments", [{**ATTACHMENT, "length": "27"}], "length"),
    ("attachments", [{**ATTACHMENT, "sha2": "xyz"}], "sha2"),
    ("attachments", [{**ATTACHMENT, "fileUrl": "file"}], "fileUrl"),
    ("verb", {"id": "http://adlnet.gov/expapi/verbs/voided"}, "object"),
]


@pytest.mark.parametrize("statement", [FULL, SMALL])
def test_a_valid_statement_passes(statement):
    assert read_statement(as_json(statement)).verb.id == statement["verb"]["id"]


@pytest.mark.parametrize(("path", "value"), VALID)
def test_a_statement_with_any_allowed_part_passes(path, value):
    base = {**FULL, "context": {}} if path == "object" else FULL
    assert read_statement(as_json(changed(path, value, base))).actor.objectType in {"Agent", "Group"}


@pytest.mark.parametrize(("path", "value", "named"), FAULTS)
def test_a_fault_is_refused_with_a_reason_that_names_the_property(path, value, named):
    with pytest.raises(InvalidStatement) as refused:
        read_statement(as_json(changed(path, value)))
    assert named in refused.value.message
    assert refused.value.http_status == 400


@pytest.mark.parametrize(("path", "value", "named"), [fault for fault in FAULTS if not fault[0].startswith("object.o")])
def test_a_fault_in_a_sub_statement_is_refused_like_one_in_a_statement(path, value, named):
    inner = {name: FULL[name] for name in ("actor", "verb", "object", "result", "context")}
    if path.split(".")[0] not in inner or value == {"id": "http://adlnet.gov/expapi/verbs/voided"}:
        inner["timestamp"] = FULL["timestamp"]
        path, value, named = "timestamp", "2026-02-30T12:00:00Z", "timestamp"
    whole = {**SMALL, "object": {"objectType": "SubStatement", **changed(path, value, inner)}}
    with pytest.raises(InvalidStatement, match=re.escape(named.split(".")[-1])):
        read_statement(as_json(whole))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"1", b'"x"', b"{", b"[{]", b"{}", b"[1]", b"[[]]", b"{} {}", b'\xff{"a":1}', b'[{"a":NaN}]'],
)
def test_a_body_that_holds_no_statement_is_refused(body):
    with pytest.raises(InvalidStatement):
        read_body(body)


def test_the_reason_says_which_statement_of_a_list_is_wrong():
    with pytest.raises(InvalidStatement, match=r"Statement 2 of 3: .*`verb\.id`"):
        read_body(as_json([SMALL, changed("verb.id", "x"), SMALL]))


def test_a_list_gives_each_statement_the_bytes_it_had():
    first, second = json.dumps(SMALL, indent=1), json.dumps(FULL)
    raws, statements = read_body(f" [ {first} ,\n{second}]".encode())
    assert raws == [first.encode(), second.encode()]
    assert [statement.id for statement in statements][1] == FULL["id"]


def test_a_reason_never_quotes_the_value():
    with pytest.raises(InvalidStatement) as refused:
        read_statement(as_json(changed("actor.objectType", "jane@h.example")))
    assert "jane" not in refused.value.message


@pytest.mark.parametrize(
    "text", [b'"\xff"', b'"\\ud800"', b"1e999", b"01", b'"a\nb"', b"tru", b"[" * 5000 + b"]" * 5000]
)
def test_what_is_no_json_inside_extensions_is_refused(text):
    whole = as_json(changed("context.extensions", {"http://h.example/x": "HERE"})).replace(b'"HERE"', text)
    with pytest.raises(InvalidStatement):
        read_statement(whole)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=json_values)
def test_any_json_may_stand_inside_extensions(value):
    assert read_statement(json.dumps(changed("context.extensions", {"http://h.example/x": value})).encode())


@pytest.mark.parametrize("name", FULL)
def test_a_property_that_is_given_twice_is_refused(name):
    whole, value = as_json(FULL), json.dumps(FULL[name])
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}"  # the same name, written another way
    for again in (name, escaped):
        with pytest.raises(InvalidStatement, match=f"Object has `{name}` twice"):
            read_statement(whole[:-1] + f', "{again}": {value}}}'.encode())
    with pytest.raises(InvalidStatement, match=f"Statement 2 of 2: Object has `{name}` twice"):
        read_body(b"[%s,%s]" % (whole, whole[:-1] + f',"{name}":{value}}}'.encode()))


@pytest.mark.parametrize("place", ["context", "result", "object.definition"])
def test_what_an_extension_holds_has_a_deepest_level(place):
    value = 1
    for level in range(DEEPEST):
        value = [1, value] if level % 2 else {"n": value}
    assert read_statement(as_json(changed(f"{place}.extensions", {"http://h.example/x": value})))
    with pytest.raises(InvalidStatement, match=f"may be nested {DEEPEST} levels deep - at `{place}`"):
        read_statement(as_json(changed(f"{place}.extensions", {"http://h.example/x": [value]})))


paths = ["actor", "verb", "object", "result", "context", "timestamp", "id", "context.contextActivities"]


@given(value=json_values, path=st.sampled_from([*paths, "result.score", "object.definition", "actor.account"]))
def test_whatever_stands_in_place_of_a_part_the_answer_is_yes_or_a_reason(value, path):
    try:
        read_statement(json.dumps(changed(path, value)).encode())
    except InvalidStatement as refused:
        assert refused.message  # noqa: PT017 - either outcome is right


@given(body=st.binary() | st.text().map(str.encode))
@example(body=b"[]")
@example(body=b"[] ]")
def test_any_bytes_get_a_reason(body):
    try:
        assert read_body(body) == ([], []), "only an empty list is taken"
    except InvalidStatement as refused:
        assert refused.message  # noqa: PT017 - either outcome is right
