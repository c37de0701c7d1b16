"""Labels tell apart whatever they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schoolhouse.analytics.labels import distinct_labels, marks

VIDEOS = "https://video.example/course"


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ({"500": "Start", "501": "End"}, ["Start", "End"]),
        ({"500": "Start", "501": "Start"}, ["Start (500)", "Start (501)"]),
        (
            {f"{VIDEOS}/week1/intro.mp4": "intro.mp4", f"{VIDEOS}/week2/intro.mp4": "intro.mp4"},
            ["intro.mp4 (week1)", "intro.mp4 (week2)"],
        ),
        (
            {f"{VIDEOS}/intro.mp4": "intro.mp4", f"{VIDEOS}/week2/intro.mp4": "intro.mp4"},
            ["intro.mp4", "intro.mp4 (week2)"],
        ),
        ({"a": "x (1)", "1": "x", "2": "x"}, ["x (1)", "x (1) #2", "x (2)"]),
        (
            {
                "block-v1:A+B+1+type@problem+block@0123456789abcdef0123456789abcdef": "Quiz",
                "block-v1:A+B+1+type@problem+block@0123456789abcdef0123456789fedcba": "Quiz",
            },
            ["Quiz (…89abcdef)", "Quiz (…89fedcba)"],
        ),
        (
            {"11111111-0000-4000-8000-000000000001": "Try", "22222222-0000-4000-8000-000000000001": "Try"},
            ["Try (11111111…)", "Try (22222222…)"],
        ),
        (
            {"a long beginning, then 1 and the long end": "Try", "a long beginning, then 2 and the long end": "Try"},
            ["Try (…1 and the long end)", "Try (…2 and the long end)"],
        ),
        (
            {"500": "A long name that an axis would cut", "501": "A long name that an axis would cut"},
            ["A long name that an axi… (500)", "A long name that an axi… (501)"],
        ),
    ],
)
def test_a_shared_name_gets_what_tells_its_ids_apart(names: dict[str, str], labels: list[str]) -> None:
    assert list(distinct_labels(names).values()) == labels


_ids = st.text(alphabet="ab1/@+#() ", max_size=30)


@given(
    st.dictionaries(
        _ids, st.sampled_from(["a", "b", "a (1)", "a (b)", "a #2", "", "A name of more than thirty letters"])
    )
)
def test_no_two_labels_are_alike(names: dict[str, str]) -> None:
    labels = distinct_labels(names)
    assert list(labels) == list(names)
    assert len(set(labels.values())) == len(labels)


@given(st.sets(_ids))
def test_no_two_marks_are_alike(ids: set[str]) -> None:
    assert len(set(marks(ids).values())) == len(ids)
