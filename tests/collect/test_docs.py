"""The program in docs/collect.md runs as it stands there."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.given import load


@pytest.mark.parametrize("handle", ["embedded"], indirect=True)
def test_the_program_of_the_page_sends_a_page_view_of_section_42(tmp_path, tables):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/collect.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "send.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "XAPI_ETL_MODE": "file"}
    subprocess.run([sys.executable, "send.py"], cwd=tmp_path, env=environment, check=True)
    (bundle,) = tmp_path.glob("schoolhouse-data/bundles/section/42/page_viewed/*.jsonl")
    load(tables, [json.loads(bundle.read_bytes())])
    found = tables.ask("SELECT event_type, section_id FROM raw_events FINAL", why="tests")
    assert found.rows == [("page_viewed", 42)]
