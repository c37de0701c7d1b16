"""The engine with our grants and row policies, as a process of its own: chDB reads them from a users file.

    python -m tests.analytics.scoped_sql.engine_with_policies DIRECTORY < questions.json

In: a filled directory, and `{"grants": [GRANT …], "policies": {database: {table: condition}}, "tag": …,
"questions": [[database, text]]}`.
Out: a JSON list of outcomes: the rows in any order, or the code of the engine's error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET


def users_file(grants: Sequence[str], policies: Mapping[str, Mapping[str, str]]) -> bytes:
    """ClickHouse's users file, with one user who has these rights and no others."""
    root = ET.Element("clickhouse")
    ET.SubElement(ET.SubElement(root, "profiles"), "default")
    ET.SubElement(ET.SubElement(root, "quotas"), "default")
    user = ET.SubElement(ET.SubElement(root, "users"), "default")
    ET.SubElement(user, "password")
    ET.SubElement(user, "profile").text = ET.SubElement(user, "quota").text = "default"
    ET.SubElement(ET.SubElement(user, "networks"), "ip").text = "::/0"
    granted = ET.SubElement(user, "grants")
    for grant in grants:
        ET.SubElement(granted, "query").text = grant
    databases = ET.SubElement(user, "databases")
    for database, tables in policies.items():
        of_database = ET.SubElement(databases, database)
        for table, condition in tables.items():
            ET.SubElement(ET.SubElement(of_database, table), "filter").text = condition
    return ET.tostring(root)


def main() -> None:
    from chdb import session

    directory, given = Path(sys.argv[1]), json.load(sys.stdin)
    users = directory / "users.xml"
    users.write_bytes(users_file(given["grants"], given["policies"]))
    engine = session.Session(f"file:{directory / 'warehouse'}?config-file={users}&users_config={users}")
    engine.query("SET final = 1, max_execution_time = 5, max_threads = 2, session_timezone = 'UTC'")
    if given["tag"]:
        tag = given["tag"].replace("\\", "\\\\").replace("'", "\\'")
        engine.query(f"SET log_comment = '{tag}'")
    print(json.dumps([outcome(engine, *each) for each in given["questions"]]))


def outcome(engine: Any, database: str, question: str) -> list[Any]:
    try:
        engine.query(f"USE `{database}`")
        return ["rows", sorted(str(engine.query(question, "JSONCompactEachRow")).splitlines())]
    except RuntimeError as error:
        found = re.search(r"Code: (\d+)", str(error))
        return ["refused", int(found[1]) if found else 0]


if __name__ == "__main__":
    main()
