"""`etl`: bundles from S3 into the warehouse, by hand or by a worker, with the handler that AWS Lambda runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schoolhouse.cli import console

if TYPE_CHECKING:
    from schoolhouse.settings import Settings

app = typer.Typer(
    cls=console.Commands,
    help="Bundles from S3 into the warehouse: single events, whole sections, or a queue.",
    no_args_is_help=True,
)

PayloadArgument = Annotated[
    str, typer.Argument(metavar="PAYLOAD", help="The event as JSON, the path of a file that holds it, or - for stdin.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


@app.command()
def event(payload: PayloadArgument, as_json: AsJson = False) -> None:
    """Answer one event as the deployed function would: S3, SQS, SNS, EventBridge, bulk, or a health check.

    Example: schoolhouse etl event '{"bucket": "my-bucket", "key": "section/123/video/2024-01-01T12-00-00Z_b.jsonl"}'
    """
    _answer(_read_payload(payload), as_json)


@app.command()
def bulk(
    section: Annotated[str | None, typer.Option("--section", help="Id of the section; without it, all.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="First day, or time, such as 2024-01-01.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last day, or the time before which.")] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", help="The bucket; S3_XAPI_BUCKET_NAME without it.")] = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Where the sections lie in the bucket.")] = "section/",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell files, bytes, estimated statements.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Load also what is in already; it counts once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load the bundles of a section and a span of days; what is in already is skipped.

    A run that was stopped goes on when it is started again.

    Example: schoolhouse etl bulk --section 123 --start 2024-01-01 --end 2024-12-31 --dry-run
    """
    payload = {
        "mode": "bulk",
        "section_id": section,
        "start_date": start,
        "end_date": end,
        "s3_bucket": bucket,
        "s3_prefix": prefix,
        "dry_run": dry_run,
        "force_reprocess": force,
    }
    _answer(payload, as_json)


@app.command()
def health(
    diagnostics: Annotated[
        bool, typer.Option("--diagnostics", help="Also packages, settings, and whether S3 can be read.")
    ] = False,
    bucket: Annotated[str, typer.Option("--bucket", help="Bucket to try; S3_XAPI_BUCKET_NAME without it.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", help="Prefix to list there.")] = "section/",
    as_json: AsJson = False,
) -> None:
    """Tell whether ClickHouse answers and has its tables; exit 1 if not."""
    if not diagnostics:
        _answer({"health_check": True}, as_json)
        return
    settings = console.settings()
    check = {"s3_check": {"bucket": bucket, "prefix": prefix}} if bucket or settings.s3_bucket else {}
    _answer({"diagnostics": True, **check}, as_json, settings)


@app.command()
def worker(
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Batches worked on at the same time.")] = 2,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="Stop when the queue is empty.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load what the queue XAPI_QUEUE_URL announces, until stopped by Ctrl-C or SIGTERM.

    Batches under way are finished first. A worker that is killed loses nothing: its messages come again.
    """
    import signal

    from schoolhouse.etl.worker import Worker

    working = Worker(console.settings(), threads=threads)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: working.stop())
    totals = dict(working.run(until_empty=until_empty))
    if as_json:
        console.print_json(totals)
    else:
        console.print_facts("worked", totals)


@app.command()
def redrive(
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most this many messages; 0: all.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the messages, move none.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put dead messages (FAILURE_DLQ_URL) back into the queue (XAPI_QUEUE_URL), and show why each had died."""
    from schoolhouse.etl.aws import sqs_client
    from schoolhouse.etl.dead_letters import redrive as put_back

    settings = console.settings()
    messages = put_back(sqs_client(settings), settings, limit=limit, dry_run=dry_run)
    if as_json:
        console.print_json(messages)
    else:
        rows = [(message["message_id"], message["reason"], message["body"][:200]) for message in messages]
        console.print_table("dead messages" if dry_run else "put back", ["message", "reason", "body"], rows)


def _answer(payload: Any, as_json: bool, settings: Settings | None = None) -> None:
    """Show the handler's answer; exit 1 if it is no success."""
    from schoolhouse.etl.handler import Handler

    with Handler(settings or console.settings(), who="etl") as handler:
        answer = handler.handle(payload)
    if as_json:
        console.print_json(answer)
    else:
        facts = {name: value for name, value in answer.items() if not isinstance(value, list | dict)}
        console.print_facts(str(answer.get("processing_mode", "")), facts)
        for error in answer.get("errors", []):
            print(f"{error['subject']}: {error['reason']}", file=sys.stderr)
        for name, part in answer.items():
            if isinstance(part, dict) and part:
                console.print_facts(name, part)
    if not answer["success"]:
        raise typer.Exit(1)


def _read_payload(text: str) -> Any:
    import json

    from schoolhouse.errors import PayloadError

    try:
        if text == "-":
            text = sys.stdin.read()
        elif not text.lstrip().startswith("{"):
            text = Path(text).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise PayloadError(f"{text[:200]} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise PayloadError("The payload is not JSON.", hint="Quote it for the shell, or give a file.") from None
