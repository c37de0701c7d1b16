"""Lines: as many as asked for, valid, the same for the same seed, and what the truth says of them."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter, defaultdict
from typing import Any

import pytest

from schoolhouse.collect.validation import read_statement
from schoolhouse.errors import UsageError
from schoolhouse.simulate import Rates
from tests.simulate.lines import (
    FLAWS,
    TORUS,
    event_type_of,
    recounted,
    section_of,
    small_plan,
    statements_of,
    text_of,
    time_of,
)

pytestmark = pytest.mark.parametrize("dialect", ["torus", "openedx"])

_IRI = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"
_PROPERTIES = {
    "": {"id", "actor", "verb", "object", "result", "context", "timestamp", "version"},
    "actor": {"objectType", "account"},
    "account": {"homePage", "name"},
    "verb": {"id", "display"},
    "object": {"id", "objectType", "definition"},
    "definition": {"name", "description", "type", "extensions", "interactionType"},
    "result": {"score", "success", "completion", "response", "duration", "extensions"},
    "score": {"scaled", "raw", "min", "max"},
    "context": {"registration", "contextActivities", "extensions"},
    "contextActivities": {"parent", "grouping", "category", "other"},
}


def _check(statement: dict[str, Any]) -> None:
    """What xAPI 1.0.3 asks of a statement, as far as these statements go."""
    account = statement["actor"]["account"]
    parts = {name: statement.get(name, {}) for name in ("actor", "verb", "object", "result", "context")}
    parts |= {"": statement, "account": account, "definition": parts["object"]["definition"]}
    parts |= {"score": parts["result"].get("score", {})}
    parts |= {"contextActivities": parts["context"].get("contextActivities", {})}
    for name, value in parts.items():
        assert set(value) <= _PROPERTIES[name], (name, set(value) - _PROPERTIES[name])
    assert isinstance(account["name"], str)
    assert account["name"]
    identifiers = [account["homePage"], statement["verb"]["id"], statement["object"]["id"]]
    for part in ("definition", "result", "context"):
        identifiers += parts[part].get("extensions", {})
    if statement["verb"]["id"] != EXPERIENCED:  # the older verb has no type beside it
        identifiers.append(parts["definition"]["type"])
    for activities in parts["contextActivities"].values():
        identifiers += [activity["id"] for activity in activities]
    assert all(_IRI.fullmatch(one) for one in identifiers), identifiers
    if score := parts["score"]:
        assert 0 <= score["min"] <= score["raw"] <= score["max"]
        assert score["scaled"] == pytest.approx(score["raw"] / score["max"])
    assert isinstance(parts["result"].get("response", ""), str)
    assert re.fullmatch(r"P(T(\d+M)?(\d+S)?)", parts["result"].get("duration", "PT1S"))
    assert time_of(statement).utcoffset() is not None
    if "id" in statement:
        assert str(uuid.UUID(statement["id"])) == statement["id"]
        assert statement["version"] == "1.0.3"


def test_every_statement_is_valid_xapi(dialect: str) -> None:
    lines = text_of(small_plan(dialect))[0].splitlines()
    statements = list(map(json.loads, lines))
    for line, statement in zip(lines, statements, strict=True):
        read_statement(line)  # as the xAPI door reads it, by Schoolhouse's own strict rules
        _check(statement)
    assert len({json.dumps(one, sort_keys=True) for one in statements}) == len(statements)


def test_a_run_has_exactly_the_statements_asked_for(dialect: str) -> None:
    for number in (1, 40, 2_500, 30_001):
        assert len(statements_of(small_plan(dialect, statements=number))) == number


def test_one_seed_makes_equal_bytes_and_another_does_not(dialect: str) -> None:
    plan = small_plan(dialect, flaws=FLAWS)
    assert text_of(plan) == text_of(small_plan(dialect, flaws=FLAWS))
    assert text_of(plan)[0] != text_of(small_plan(dialect, flaws=FLAWS, seed=8))[0]


def test_the_truth_is_what_counting_the_lines_gives(dialect: str) -> None:
    text, truth = text_of(small_plan(dialect, flaws=FLAWS))
    lines = text.splitlines()
    sound = [line for line in lines if _reason(line) == ""]
    good = [json.loads(line) for line in set(sound)]
    assert truth["lines"] == len(lines)
    assert truth["statements"] == len(good)
    assert truth["duplicates"] == len(sound) - len(good)
    assert truth["rejects"] == dict(Counter(filter(None, map(_reason, lines))))
    told = {(row["section"], row["event_type"], row["day"]): row["statements"] for row in truth["counts"]}
    assert told == recounted(good)


def test_the_truth_knows_the_learners_and_means(dialect: str) -> None:
    plan = small_plan(dialect)
    text, truth = text_of(plan)
    people: dict[str | int, set[str]] = defaultdict(set)
    scores: dict[tuple[str | int, str], list[float]] = defaultdict(list)
    for statement in map(json.loads, text.splitlines()):
        people[section_of(statement)].add(statement["actor"]["account"]["name"])
        if event_type_of(statement) != "part_attempt" and "score" in statement.get("result", {}):
            key = section_of(statement), event_type_of(statement)
            scores[key].append(statement["result"]["score"]["scaled"])
    assert {row["section"]: row["learners"] for row in truth["learners"]} == {
        section: len(names) for section, names in people.items()
    }
    told = {(row["section"], row["event_type"]): (row["scored"], row["mean_scaled"]) for row in truth["scores"]}
    assert told.keys() == scores.keys()
    for key, values in scores.items():
        assert told[key][0] == len(values)
        assert told[key][1] == pytest.approx(sum(values) / len(values), abs=1e-12)
    assert set(truth["learner_parameters"]["learner"]) >= {
        int(n) if n.isdigit() else n for n in set().union(*people.values())
    }


def test_the_truth_knows_activities_and_videos(dialect: str) -> None:
    text, truth = text_of(small_plan(dialect))
    attempts: dict[tuple[str | int, str], list[float]] = defaultdict(list)
    plays: Counter[tuple[str | int, str]] = Counter()
    viewers = defaultdict(set)
    completions: Counter[tuple[str | int, str]] = Counter()
    for one in map(json.loads, text.splitlines()):
        verb = one["verb"]["id"].rsplit("/", 1)[1]
        if event_type_of(one) == "activity_attempt":
            key = section_of(one), one["context"]["extensions"]["http://oli.cmu.edu/extensions/activity_id"]
            attempts[key].append(one["result"]["score"]["scaled"])
        if verb == "evaluated":
            attempts[section_of(one), one["object"]["id"]].append(one["result"]["score"]["scaled"])
        if event_type_of(one) == "video":
            key = section_of(one), one["object"]["id"]
            plays[key] += verb == "played"
            completions[key] += verb == "completed"
            if verb == "played":
                viewers[key].add(one["actor"]["account"]["name"])
    told = {(row["section"], row["activity"]): row for row in truth["activities"]}
    assert told.keys() == attempts.keys()
    for key, scaled in attempts.items():
        assert told[key]["attempts"] == len(scaled)
        assert told[key]["mean_scaled"] == pytest.approx(sum(scaled) / len(scaled), abs=1e-12)
    for row in truth["videos"]:
        key = row["section"], row["video"]
        assert (row["plays"], row["viewers"], row["completions"]) == (plays[key], len(viewers[key]), completions[key])
    assert sum(plays.values()) == sum(row["plays"] for row in truth["videos"])


def test_the_truth_knows_who_is_in_which_condition(dialect: str) -> None:
    text, truth = text_of(small_plan(dialect, rates=Rates(experiment_share=1.0)))
    assigned, carried = Counter[tuple[str | int, str]](), Counter[tuple[str | int, str]]()
    of_learner: dict[tuple[str | int, str], set[str]] = defaultdict(set)
    for one in map(json.loads, text.splitlines()):
        for entry in one["context"].get("extensions", {}).get(f"{TORUS}experiment_attributions", []):
            of_learner[section_of(one), one["actor"]["account"]["name"]].add(json.dumps(entry))
            key = section_of(one), entry["condition_code"]
            (assigned if event_type_of(one) == "experiment" else carried)[key] += 1
    told = {(row["section"], row["condition"]): row for row in truth["experiments"]}
    assert {key: row["learners"] for key, row in told.items()} == assigned
    assert {key: row["attributions"] for key, row in told.items()} == carried
    assert all(len(entries) == 1 for entries in of_learner.values())  # an attempt says what was assigned
    assert bool(told) == (dialect == "torus")


def test_the_older_verb_tells_some_plays_once_more(dialect: str) -> None:
    statements = statements_of(small_plan(dialect, rates=Rates(legacy_share=0.5)))
    verbs = Counter(one["verb"]["id"] for one in statements)
    assert 0.35 < verbs[EXPERIENCED] / verbs["https://w3id.org/xapi/video/verbs/played"] < 0.65 or dialect == "openedx"


def test_too_long_lines_are_longer_than_the_warehouse_takes(dialect: str) -> None:
    text, truth = text_of(small_plan(dialect, statements=2_000, flaws=type(FLAWS)(too_long=0.003)))
    long = [line for line in text.splitlines() if len(line) > 1_048_576]
    assert truth["rejects"] == {"line_too_long": len(long)}
    assert long
    assert all(json.loads(line)["verb"] for line in long)


def test_late_lines_stand_later_than_their_time_says(dialect: str) -> None:
    plan = small_plan(dialect, flaws=type(FLAWS)(late=0.05), sections=1)
    text, truth = text_of(plan)
    times = [time_of(json.loads(line)) for line in text.splitlines()]
    latest, behind = times[0], 0
    for time in times:
        behind += time < latest
        latest = max(latest, time)
    assert truth["late"] > 300
    assert 0.5 * truth["late"] < behind <= truth["late"] + 5


def test_more_statements_than_the_learners_have_time_for_is_an_error(dialect: str) -> None:
    with pytest.raises(UsageError, match="cannot make"):
        text_of(small_plan(dialect, sections=1, learners=1, days=1, statements=200_000))


def _reason(line: bytes) -> str:
    """Why a line is no statement; '' if it is one."""
    try:
        statement = json.loads(line)
    except ValueError:
        return "not_json"
    if not isinstance(statement, dict):
        return "not_object"
    for name in ("actor", "verb", "object"):
        if name not in statement:
            return f"missing_{name}"
    return "" if re.match(r"\d{4}-\d\d-\d\dT", statement["timestamp"]) else "bad_timestamp"
