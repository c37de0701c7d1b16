"""A simulated campus: statements, course and learner tables, and the truth about them.

One call writes a campus, and `truth.json` beside it; equal plans and seeds make equal bytes:

    from schoolhouse.simulate import Imperfections, campus_plan, write_statements

    plan = campus_plan(dialect="torus", sections=6, learners=300, seed=1, flaws=Imperfections(duplicates=0.01))
    written = write_statements(plan, "campus/", "jsonl.gz")   # a Written: out, truth, statements, lines, size, seconds

`write_statements(plan, out, form="jsonl.gz", *, workers=0, on_progress=None)`; `on_progress(lines, bytes)` is called as
the run goes on. `campus_plan` takes every field of `Plan` and finds sizes for what is not given.

- `rates`      every rate, with its default and its source
- `campus`     the plan; learners, courses, sections, enrolments; the division into chunks
- `behaviour`  what the learners of a chunk do, with `practice` (questions) and `watching` (videos)
- `torus`, `openedx`  the two dialects: templates with holes, and what fills them
- `chunks`     a chunk as lines: cut to size, put in order, flawed, assembled by `pieces`
- `truth`      what is true of the run; `on_disk` holds what grows with it
- `writing`    files, by all cores
"""

from __future__ import annotations

from schoolhouse.simulate.campus import Plan, campus_plan
from schoolhouse.simulate.rates import Imperfections, Rates
from schoolhouse.simulate.writing import FORMATS, Format, Written, write_statements

__all__ = ["FORMATS", "Format", "Imperfections", "Plan", "Rates", "Written", "campus_plan", "write_statements"]
