"""Made-up names for learners, for people who may not see their identifiers.

A name is a keyed hash of the identifier, so it is the same on every chart and day and cannot be turned back without the
key. The key lies in `<data_dir>/learner-names.key` (mode 0600) and is made when first needed; a new key
gives new names.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from schoolhouse.settings import Settings

FILE_NAME: Final = "learner-names.key"


def pepper_of(settings: Settings) -> str:
    """The key of this data directory."""
    return _read_or_make(settings.data_dir.resolve() / FILE_NAME)


@cache
def _read_or_make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{FILE_NAME}.{secrets.token_hex(4)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(fresh, path)  # whole or not at all, and the first of two processes wins
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()
