"""The clients of S3 and SQS, and their errors as ours.

boto3 takes a third of a second to import, so it is imported when the first client is made. Its way of finding
credentials (environment, profile, role) is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from schoolhouse.errors import ObjectMissing, SettingsError, StorageError, StorageUnavailable, install_hint

if TYPE_CHECKING:
    from schoolhouse.etl.payloads import ObjectRef
    from schoolhouse.settings import Settings

_MISSING: Final = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound", "QueueDoesNotExist"})
_RETRYABLE: Final = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "InternalError"}
)


def s3_client(settings: Settings) -> Any:
    """A client of S3; threads may share it."""
    return _client("s3", settings)


def sqs_client(settings: Settings) -> Any:
    """A client of SQS; threads may share it."""
    return _client("sqs", settings)


def _client(service: str, settings: Settings) -> Any:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise SettingsError("boto3 is not installed.", hint=install_hint("s3")) from None
    config = Config(
        connect_timeout=settings.s3_connect_timeout_seconds,
        read_timeout=settings.s3_read_timeout_seconds,
        retries={"max_attempts": settings.s3_max_attempts, "mode": "standard"},
        max_pool_connections=max(10, settings.etl_concurrency * 2),
        # other servers know virtual hosts seldom
        s3={"addressing_style": "path" if settings.aws_endpoint_url else "auto"},
    )
    try:
        return boto3.client(
            service,
            region_name=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url or None,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(
            f"No client for {service}: {type(error).__name__}.",
            hint="Check AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE and AWS's own files.",
        ) from None


@contextmanager
def mapped_errors(subject: str) -> Iterator[None]:
    """Raise what boto3 raises as an error of ours; `subject` is the object or queue that it was about."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ClientError as error:
        raise _mapped(error.response, subject) from None
    except NoCredentialsError:
        raise StorageError(
            "There are no AWS credentials.", hint="Set a role, a profile or AWS_ACCESS_KEY_ID."
        ) from None
    except RecursionError:  # redirected, botocore asks the same host for the bucket's region, and is redirected again
        raise StorageError(
            f"The host of {subject} only points elsewhere.",
            hint="Name the host that holds it; redirects are not followed.",
        ) from None
    except ParamValidationError:
        raise StorageError(
            f"AWS knows no such name: {subject}.", hint="Check the bucket, the key or the queue."
        ) from None
    except (BotoCoreError, HTTPError, OSError) as error:
        raise StorageUnavailable(f"AWS did not answer for {subject}: {type(error).__name__}.") from None


def _mapped(response: dict[str, Any], subject: str) -> StorageError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    if code in _MISSING or code.endswith("NonExistentQueue"):
        return ObjectMissing(f"{subject} is not there.")
    if status >= 500 or status == 429 or code in _RETRYABLE:
        return StorageUnavailable(f"AWS could not answer for {subject}: {code}.")
    return StorageError(f"AWS refused {subject}: {code}.", hint="Check the role's rights and the names.")


def objects_url(refs: Sequence[ObjectRef], settings: Settings) -> str:
    """The URL by which ClickHouse reads objects of one bucket, their keys percent-encoded."""
    keys = [_quoted(ref.key) for ref in refs]
    path = keys[0] if len(keys) == 1 else "{" + ",".join(keys) + "}"
    bucket = refs[0].bucket
    if settings.aws_endpoint_url:
        return f"{settings.aws_endpoint_url.rstrip('/')}/{bucket}/{path}"
    if "." in bucket:  # a certificate's wildcard covers one label
        return f"https://s3.{settings.aws_region}.amazonaws.com/{bucket}/{path}"
    return f"https://{bucket}.s3.{settings.aws_region}.amazonaws.com/{path}"


def url_bytes(ref: ObjectRef) -> int:
    """What an object adds to the URL of several."""
    return len(_quoted(ref.key)) + 1


def _quoted(key: str) -> str:
    return quote(key, safe="/-_.~")
