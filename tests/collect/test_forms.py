"""Forms of text: what has the form passes, what repeats is remembered, and no more than so much."""

import pytest

from schoolhouse.collect import forms
from schoolhouse.collect.forms import Iri, Uuid, read_form


def test_a_text_of_another_form_is_refused_each_time():
    for _ in range(2):
        with pytest.raises(ValueError, match="Expected an absolute IRI"):
            read_form(Iri, "no iri")


@pytest.mark.parametrize(
    ("value", "name"), [(5, "int"), (None, "null"), ({}, "object"), (["http://a.example"], "array"), (True, "bool")]
)
def test_what_is_no_text_is_refused_by_its_name_in_json(value, name):
    with pytest.raises(TypeError, match=f"Expected `str`, got `{name}`"):
        read_form(Iri, value)


def test_what_repeats_is_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(Iri, "seen", {})
    monkeypatch.setattr(forms, "_SEEN_LIMIT", 10)
    first = read_form(Iri, "http://verbs.example/completed")
    assert read_form(Iri, "http://verbs.example/completed") is first
    for number in range(100):
        assert read_form(Iri, f"http://activities.example/{number}") == f"http://activities.example/{number}"
        assert len(Iri.seen) <= 10
    read_form(Iri, "http://activities.example/" + "a" * 1000)
    assert all(len(text) < 1000 for text in Iri.seen)


def test_what_is_new_each_time_is_not_remembered():
    read_form(Uuid, "12345678-1234-4123-8123-123456789012")
    assert not Uuid.seen
