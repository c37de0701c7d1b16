"""CSV for spreadsheets: no text runs as a formula, and nothing else changes."""

from __future__ import annotations

import csv
import io

import pytest

from schoolhouse.analytics.spreadsheets import without_formulas


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_looks_like_a_formula_becomes_text(cell: str) -> None:
    table = f'"name","other"\n"{cell}","{cell}"\n'.encode()
    assert without_formulas(table) == f'"name","other"\n"\'{cell}","\'{cell}"\n'.encode()


@pytest.mark.parametrize(
    "table",
    [
        b'"n"\n-1\n',
        b'"n","m"\n1,-0.5\n',
        b'"name"\n"a=1, b"\n',
        b'"name"\n"2026-03-01"\n',
        b'"name"\n"quoted "",""=1"" text"\n',
        b'"name"\n"two\n""=lines"""\n',
        b"",
    ],
)
def test_numbers_and_what_stands_inside_of_texts_stay(table: bytes) -> None:
    assert without_formulas(table) == table


def test_the_table_reads_back_cell_by_cell() -> None:
    cells = [',"=1', 'a\n"=2', '"=3"', "=4", ""]
    written = "".join('"' + cell.replace('"', '""') + '"\n' for cell in cells).encode()
    read = [row[0] for row in csv.reader(io.StringIO(without_formulas(written).decode(), newline=""))]
    assert read == [',"=1', 'a\n"=2', '"=3"', "'=4", ""]
