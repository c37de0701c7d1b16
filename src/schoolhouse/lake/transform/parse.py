"""Messages to rows: one typed read of all of them; what cannot be read is named, and spoils nothing else.

Polars reads joined lines fast and strictly, and gives up at the first line that is wrong. So only when it gives up is
each message looked at: a decoder made from the topic's schema says which are wrong and where. Should Polars still
refuse a line that the decoder took (a number too large for its type), halving finds it. Times are read as text and then
converted, which is six times as fast as asking the reader for times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
import polars as pl

from schoolhouse.lake.topics import Topic

# With an offset or Z, and without (then it is UTC); the first is by far the commonest.
TIME_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")

Poison = tuple[int, str]  # place among the values, and why


def parse(topic: Topic, values: Sequence[bytes | None]) -> tuple[pl.DataFrame, list[Poison]]:
    """Rows of the messages that can be read, in order, and the others by their place with the reason.

    A reason names a field and never holds a value.
    """
    places: Sequence[int] = range(len(values))
    poison: list[Poison] = []
    try:
        frame = _read_all(topic, values)
    except (pl.exceptions.PolarsError, TypeError):  # TypeError: a message has no value
        frame, places, poison = _read_each(topic, values)
    frame, unplaced = _placed(topic, frame, places)
    return frame, sorted(poison + unplaced)


def _as_read(topic: Topic) -> dict[str, Any]:
    """The schema that the reader is given: times as text."""
    return {name: pl.String() if dtype == pl.Datetime else dtype for name, dtype in topic.schema.items()}


def _timed(topic: Topic, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The frame with its times as times, and a frame that says for each time whether it is none."""
    times = [name for name, dtype in topic.schema.items() if dtype == pl.Datetime]
    text = frame.select(times)
    found = text.select(_to_time(pl.col(name), TIME_FORMATS[:1]) for name in times)
    if any(found[name].null_count() > text[name].null_count() for name in times):
        found = text.select(_to_time(pl.col(name), TIME_FORMATS) for name in times)
    wrong = text.select(found[name].is_null() & text[name].is_not_null() for name in times)
    return frame.with_columns(found.get_columns()), wrong


def _to_time(text: pl.Expr, formats: Sequence[str]) -> pl.Expr:
    return pl.coalesce(
        text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False, ambiguous="earliest")
        for form in formats
    )


def _read_each(topic: Topic, values: Sequence[bytes | None]) -> tuple[pl.DataFrame, Sequence[int], list[Poison]]:
    """The rows that can be read, their places, and the poison among them."""
    there = {place: value for place, value in enumerate(values) if value and not value.isspace()}
    poison = [(place, "empty") for place in range(len(values)) if place not in there]
    poison += _screen(topic, there)
    for place, _ in poison:
        there.pop(place, None)
    frames, more = _halve(topic, there, list(there))
    bad = {place for place, _ in more}
    frame = pl.concat([pl.DataFrame(schema=_as_read(topic)), *frames])
    return frame, [place for place in there if place not in bad], poison + more


def _read_all(topic: Topic, values: Sequence[bytes | None]) -> pl.DataFrame:
    if not values:
        return pl.DataFrame(schema=_as_read(topic))
    given = cast("Sequence[bytes]", values)  # to look for None costs more than to stumble over it
    lines = b"\n".join(given)
    if lines.count(b"\n") != len(values) - 1:  # JSON has line ends only between its tokens
        lines = b"\n".join(value.replace(b"\n", b" ") for value in given)
    frame = pl.read_ndjson(lines, schema=_as_read(topic))
    if frame.height != len(values):
        raise pl.exceptions.ComputeError("lines and rows differ in number")
    return frame


def _screen(topic: Topic, values: Mapping[int, bytes]) -> list[Poison]:
    """What the decoder refuses, with its reason."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_decoded(_as_read(topic).items(), "Message"))
    poison = []
    for place, value in values.items():
        try:
            decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            poison.append((place, _reason(error)))
    return poison


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"wrong type: {error}"
    return "not JSON"


def _decoded(fields: Iterable[tuple[str, Any]], name: str) -> type[msgspec.Struct]:
    """A struct with these fields, each of which may be absent or null."""
    return msgspec.defstruct(name, [(field, _type_of(dtype, field) | None, None) for field, dtype in fields])


def _type_of(dtype: Any, name: str) -> Any:
    if isinstance(dtype, pl.Struct):
        return _decoded(((field.name, field.dtype) for field in dtype.fields), name)
    if isinstance(dtype, pl.List):
        return list[_type_of(dtype.inner, name) | None]  # type: ignore[misc]
    if dtype == pl.Boolean:
        return bool
    if dtype.is_integer():
        return int
    if dtype.is_float():
        return float
    # Polars writes a number down where text is asked for, and so do we.
    return str | int | float | bool


def _halve(topic: Topic, values: Mapping[int, bytes], places: list[int]) -> tuple[list[pl.DataFrame], list[Poison]]:
    """Read these values, in halves where they cannot be read at once."""
    if not places:
        return [], []
    try:
        return [_read_all(topic, [values[place] for place in places])], []
    except pl.exceptions.PolarsError:
        if len(places) == 1:
            return [], [(places[0], _unread(topic, values[places[0]]))]
    middle = len(places) // 2
    frames, poison = _halve(topic, values, places[:middle])
    more_frames, more_poison = _halve(topic, values, places[middle:])
    return frames + more_frames, poison + more_poison


def _unread(topic: Topic, value: bytes) -> str:
    """The first field that Polars cannot read, as the reason."""
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    for name, dtype in _as_read(topic).items():
        if name in fields:
            try:
                pl.read_ndjson(b'{"%s":%s}' % (name.encode(), bytes(fields[name])), schema={name: dtype})
            except pl.exceptions.PolarsError:
                return f"wrong value: expected `{str(dtype.base_type()).lower()}` - at `$.{name}`"
    return "not readable as one JSON object"


def _placed(topic: Topic, frame: pl.DataFrame, places: Sequence[int]) -> tuple[pl.DataFrame, list[Poison]]:
    """Without the rows whose time is none, or that lack what places them: the event's id, its time, its learner."""
    frame, no_time = _timed(topic, frame)
    lacks = {f"wrong value: expected a time - at `$.{name}`": no_time[name] for name in no_time.columns}
    lacks |= {f"missing `{name}`": _absent(frame[name]) for name in topic.placing}
    if not any(column.any() for column in lacks.values()):
        return frame, []
    reasons = pl.DataFrame({str(number): column for number, column in enumerate(lacks.values())}).select(
        pl.coalesce(pl.when(pl.col(str(number))).then(pl.lit(reason)) for number, reason in enumerate(lacks))
    )
    reason = reasons.to_series()
    poison = [(places[index], reason[index]) for index in reason.is_not_null().arg_true().to_list()]
    return frame.filter(reason.is_null()), poison


def _absent(values: pl.Series) -> pl.Series:
    return values.is_null() | (values == "") if values.dtype == pl.String else values.is_null()
