"""The page in a real Chromium, and the command line: an operator can do all of it from either alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import insert

from schoolhouse.backfill import tables
from schoolhouse.database import open_database
from schoolhouse.settings import load_settings
from tests.backfill.conftest import DAY, INVENTORY, Aws
from tests.chromium import needs_chromium, running_chromium, take_picture
from tests.conftest import ROOT
from tests.etl.conftest import jsonl, video
from tests.web.conftest import environment, schoolhouse

Put = Callable[..., str]
PATH = "/admin/clickhouse/backfill"

pytestmark = [
    *needs_chromium,
    pytest.mark.slow,  # a minute of clicks and waits
    pytest.mark.xdist_group("backfill-page"),
]


@dataclass(frozen=True)
class Operator:
    """A served warehouse with workers, and both ways to it."""

    address: str
    variables: dict[str, str]
    directory: Path

    def command(self, *words: str) -> Any:
        """What a command prints as JSON."""
        done = subprocess.run(
            schoolhouse("backfill", *words, "--json"),
            cwd=self.directory, env=self.variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def wait_for(self, kind: str, run: int, *statuses: str) -> dict[str, Any]:
        for _ in range(600):
            found: dict[str, Any] = self.command(kind, "show", str(run))
            if found["status"] in statuses:
                return found
            time.sleep(0.2)
        raise TimeoutError(f"{kind} run {run} is {found['status']}")


@pytest.fixture
def operator(aws: Aws, bucket: str, tmp_path: Path) -> Iterator[Operator]:
    data_dir = tmp_path / "served"
    variables = environment(data_dir) | {
        "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
        "AWS_ENDPOINT_URL": aws.url,
        "BACKFILL_INVENTORY_BUCKET": bucket,
        "BACKFILL_INVENTORY_PREFIX": INVENTORY,
        "BACKFILL_OUTAGE_SECONDS": "0",
        "PYTHONPATH": str(ROOT),
    }
    data_dir.mkdir()
    setup = [sys.executable, "-c", "from schoolhouse.cli import main; main()", "warehouse", "setup"]
    subprocess.run(setup, check=True, cwd=data_dir, env=variables, capture_output=True)
    with subprocess.Popen(
        schoolhouse("serve", "--port", "0"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=data_dir, env=variables,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        address = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        yield Operator(address, variables, data_dir)
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as opened:
        yield opened


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(browser: Browser, operator: Operator, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=operator.address, viewport={"width": 1280, "height": 1000})
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: dialog.accept())
    yield opened
    context.close()


def test_an_operator_does_all_of_it_from_the_page(
    page: Page, operator: Operator, complaints: list[str], put: Put, put_inventory: Put, aws: Aws, bucket: str
) -> None:
    keys = [f"section/1/video/2024-01-01T12-00-{number:02}Z_b.jsonl" for number in range(40)]
    for number, key in enumerate(keys):
        put(key, [video(number * 3 + each, section=1) for each in range(3)])
    put_inventory([keys[:30], [*keys[30:], "section/1/video/missing.jsonl"]])

    # a manual run: what is wrong is told beside its field, then a dry run, then the run
    page.goto(PATH)
    take_picture(page, "backfill-empty")
    page.fill("#s3_pattern", "http://169.254.169.254/bucket/key")
    page.click("text=Start the run")
    expect(page.locator("#s3_pattern-problem")).to_contain_text("not among those")
    assert page.input_value("#s3_pattern").startswith("http://169")
    page.fill("#s3_pattern", f"s3://{bucket}/section/**/*.jsonl")
    page.check("[name=dry_run]")
    page.click("text=Start the run")
    expect(page.locator("#facts-manual-1 .estimate")).to_contain_text("40 files", timeout=30_000)
    page.fill("#s3_pattern", f"s3://{bucket}/section/1/video/2024-01-01T12-00-0*.jsonl")
    page.click("text=More choices")
    page.fill("#chunk_size", "4")
    page.fill("#clickhouse_settings", '{"max_threads": 2}')
    page.click("text=Start the run")
    expect(page.locator("#facts-manual-2")).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(page.locator("#facts-manual-2 .numbers")).to_contain_text("10")
    page.click("#manual-2 details.log summary")
    expect(page.locator("#manual-2 .entry")).to_have_count(3)
    take_picture(page, "backfill-manual")
    page.click("#delete-manual-1")
    expect(page.locator("#manual-1")).to_have_count(0)

    # an inventory run: live log, pause, resume, a missing object told, delete
    page.click("nav.tabs >> text=Inventory")
    page.fill("#inventory_date", DAY)
    page.click("text=More choices")
    page.fill("#batch_chunk_size", "1")
    page.click("text=Start the run")
    expect(page.locator("#inventory-1")).to_be_visible()
    page.click("#inventory-1 details.log summary")
    expect(page.locator("#inventory-1 .entry").first).to_be_visible(timeout=30_000)
    page.click("#pause-inventory-1")
    expect(page.locator("#facts-inventory-1")).to_have_attribute("data-status", "paused")
    take_picture(page, "backfill-paused")
    page.click("#resume-inventory-1")
    expect(page.locator("#facts-inventory-1")).to_have_attribute("data-status", "completed", timeout=120_000)
    expect(page.locator("#inventory-1 .entry")).to_have_count(41, timeout=10_000)  # live, without a reload
    expect(page.locator("#inventory-1 .entries")).to_contain_text("missing.jsonl is not there")
    page.locator("#facts-inventory-1 [data-log]").nth(1).click()
    expect(page.locator("#inventory-1 .entry")).to_have_count(11)
    take_picture(page, "backfill-inventory")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in page.content()
    assert operator.command("inventory", "show", "1")["loaded_objects"] == 30
    assert operator.command("inventory", "show", "1")["skipped_objects"] == 10

    # a batch that fails and is retried; a run that is cancelled
    data = f"{INVENTORY}/data/{DAY}-1.csv"
    whole = aws.s3.get_object(Bucket=bucket, Key=data)["Body"].read()
    page.fill("#inventory_date", DAY)
    page.check("[name=force]") if page.is_visible("[name=force]") else page.click("text=More choices")
    page.fill("#batch_chunk_size", "1")
    page.check("[name=force]")
    page.click("text=Start the run")
    expect(page.locator("#facts-inventory-2 .entry, #inventory-2 tbody tr")).to_have_count(2, timeout=30_000)
    aws.s3.put_object(Bucket=bucket, Key=data, Body=b"spoiled")
    expect(page.locator("#facts-inventory-2")).to_have_attribute("data-status", "failed", timeout=120_000)
    expect(page.locator("#facts-inventory-2 tbody")).to_contain_text("differs from the checksum")
    aws.s3.put_object(Bucket=bucket, Key=data, Body=whole)
    page.locator("[id^=retry-batch-]").click()
    expect(page.locator("#facts-inventory-2")).to_have_attribute("data-status", "running", timeout=10_000)
    page.click("#cancel-inventory-2")
    expect(page.locator("#facts-inventory-2")).to_have_attribute("data-status", "cancelled")
    page.click("#delete-inventory-2")
    expect(page.locator("#inventory-2")).to_have_count(0)

    assert [text for text in set(complaints) if "status of 422" not in text] == []
    for scheme, width in (("dark", 1280), ("light", 420)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 1000})
        take_picture(page, f"backfill-{scheme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_long_log_is_read_to_its_end_and_followed_and_never_fills_the_page(page: Page, operator: Operator) -> None:
    engine = open_database(load_settings(data_dir=operator.directory))
    values = {"s3_pattern": "s3://bucket/*", "target_table": "raw_events", "format": "lines", "chunk_size": 1}
    with tables.transaction(engine) as connection:  # no worker takes a manual run that is paused
        now = tables.moment(tables.clock(connection))
        run = {**values, "max_attempts": 3, "status": "paused", "created_at": now}
        connection.execute(insert(tables.manual_runs), run)

    def log(first: int, count: int) -> None:
        with tables.transaction(engine) as connection:
            rows = [
                {"manual_run_id": 1, "chunk_index": number, "attempt": 1, "status": "completed", "created_at": now}
                for number in range(first, first + count)
            ]
            connection.execute(insert(tables.chunk_logs), rows)

    def shown() -> list[int]:
        texts = page.locator("#manual-1 .entry strong").all_inner_texts()
        return [int(text.removeprefix("Chunk ")) for text in texts]

    log(1, 450)
    page.goto(PATH)
    page.click("#manual-1 details.log summary")
    box, live = page.locator("#manual-1 .entries"), page.locator("#manual-1 .log-live")
    expect(page.locator("#manual-1 .entry")).to_have_count(25)
    assert shown() == list(range(450, 425, -1))
    expect(live).to_be_checked()

    most = 0
    for _ in range(60):  # down to the oldest
        box.evaluate("box => { box.scrollTop = box.scrollHeight }")
        page.wait_for_timeout(60)
        most = max(most, len(shown()))
        if shown()[-1] == 1:
            break
    assert shown() == list(range(200, 0, -1))
    assert most == 200
    expect(live).not_to_be_checked()

    log(451, 3)  # nothing moves under the reader's eyes
    expect(page.locator("#manual-1 .log-note")).to_contain_text("New entries are there", timeout=10_000)
    assert shown()[0] == 200
    for _ in range(60):  # up again, to what has come meanwhile
        box.evaluate("box => { box.scrollTop = 0 }")
        page.wait_for_timeout(60)
        if shown()[0] == 453:
            break
    assert shown() == list(range(453, 253, -1))

    live.check()
    expect(page.locator("#manual-1 .entry")).to_have_count(25)
    log(454, 300)
    expect(page.locator("#manual-1 .entry strong").first).to_have_text("Chunk 753", timeout=10_000)
    assert len(shown()) <= 200
    assert len(shown()) == len(set(shown()))
    engine.dispose()


def test_an_operator_does_all_of_it_from_the_command_line(operator: Operator, put: Put, put_inventory: Put) -> None:
    keys = [f"section/{section}/video/2024-0{section}-01T12-00-00Z_b.jsonl" for section in range(1, 9)]
    for number, key in enumerate(keys):
        put(key, jsonl([video(number * 3 + each, section=number + 1) for each in range(3)]))
    put_inventory([keys])
    estimate = operator.command("inventory", "create", "--date", DAY, "--section", "3", "--section", "4", "--dry-run")
    done = operator.wait_for("inventory", estimate["id"], "completed", "failed")
    assert done["metadata"]["estimate"]["files"] == 2
    words = ("--start", "2024-02-01", "--end", "2024-05-01", "--chunk-size", "1", "--setting", "max_threads=2")
    made = operator.command("inventory", "create", "--date", DAY, *words)
    operator.command("inventory", "pause", str(made["id"]))
    with subprocess.Popen(
        schoolhouse("backfill", "inventory", "logs", str(made["id"]), "--follow", "--json"),
        cwd=operator.directory, env=operator.variables, stdout=subprocess.PIPE, text=True,
    ) as follower:  # fmt: skip
        assert operator.command("inventory", "resume", str(made["id"]))["status"] in {"running", "pending"}
        assert follower.stdout is not None
        told = [json.loads(line)["chunk_index"] for line in follower.stdout]  # until the run has ended
        assert follower.wait(30) == 0
    assert told == [1, 2, 3]
    done = operator.command("inventory", "show", str(made["id"]))
    assert (done["status"], done["loaded_objects"], done["filtered_objects"]) == ("completed", 3, 5)
    assert [run["id"] for run in operator.command("inventory", "list")] == [made["id"], estimate["id"]]
    operator.command("inventory", "delete", str(made["id"]))
    assert [run["id"] for run in operator.command("inventory", "list")] == [estimate["id"]]
    late = operator.command("manual", "create", "s3://no-such-bucket-here/*", "--max-attempts", "1")
    assert operator.wait_for("manual", late["id"], "failed")["error"]
    assert operator.command("manual", "retry", str(late["id"]))["status"] == "pending"
    operator.wait_for("manual", late["id"], "failed")
    assert len(operator.command("manual", "logs", str(late["id"]))) == 0
    operator.command("manual", "delete", str(late["id"]))
    again = operator.command("inventory", "create", "--date", DAY, "--chunk-size", "1", "--force")
    operator.command("inventory", "pause", str(again["id"]))
    assert operator.command("inventory", "cancel", str(again["id"]))["status"] == "cancelled"
