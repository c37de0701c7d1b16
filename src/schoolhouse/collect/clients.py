"""The clients of the xAPI resource: names, hashed secrets, and what each may do, in one small file.

A client signs in with HTTP Basic (name and secret) or with a token (`Bearer NAME.SECRET`). Secrets are random, shown
once when the client is added, and kept as scrypt hashes. A secret that was right once is remembered for the life of the
process under a keyed hash, so that scrypt's 50 ms are paid once and not on every request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

from schoolhouse.errors import InputError, UsageError

Right = Literal["read", "write", "all"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REMEMBERED_LIMIT: Final = 1000


@dataclass(frozen=True)
class Client:
    """A client, and what it may do: `read`, `write` or `all` (both)."""

    name: str
    right: Right
    salt: str
    hash: str
    created_at: str

    def may(self, right: Right) -> bool:
        """Whether the client has this right."""
        return self.right in {"all", right}


class Clients:
    """The file of clients, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clients: dict[str, Client] = {}
        self._stamp: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._remembered: set[bytes] = set()

    def signed_in(self, authorization: str) -> Client | None:
        """The client whose credentials an `Authorization` header carries, or None."""
        name, secret = _credentials(authorization)
        if not name:
            return None
        client = self.all().get(name)
        proof = self._proof(name, secret, client)
        if client and proof in self._remembered:
            return client
        with self._lock:  # one at a time: guessing must not take all processors
            if client and proof in self._remembered:  # found right while this one waited
                return client
            found = _hash(secret, client.salt if client else "00")
        if not client or not hmac.compare_digest(found, client.hash):
            return None
        if len(self._remembered) >= _REMEMBERED_LIMIT:
            self._remembered.clear()
        self._remembered.add(proof)
        return client

    def remembers(self, authorization: str) -> bool:
        """Whether these credentials were right before, so that `signed_in` needs no time for them."""
        name, secret = _credentials(authorization)
        return bool(name) and self._proof(name, secret, self.all().get(name)) in self._remembered

    def _proof(self, name: str, secret: str, client: Client | None) -> bytes:
        return hmac.digest(self._key, f"{name}\n{secret}\n{client.hash if client else ''}".encode(), "sha256")

    def all(self) -> dict[str, Client]:
        """The clients by name.

        Raises:
            InputError: the file is not what this program wrote.
        """
        try:
            state = self._path.stat()
            stamp = (state.st_mtime_ns, state.st_ino)
            if stamp != self._stamp:
                entries = json.loads(self._path.read_text(encoding="utf-8"))["clients"]
                self._clients = {entry["name"]: Client(**entry) for entry in entries}
                self._stamp = stamp
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError):
            raise InputError(
                f"The file of xAPI clients {self._path} cannot be read.", hint="Restore it, or remove it and add anew."
            ) from None
        return self._clients

    def add(self, name: str, right: Right) -> str:
        """Add a client; returns its secret, which is kept nowhere.

        Raises:
            UsageError: the name is taken or has other characters than letters, digits, - and _.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"A client cannot be called {name!r}.", hint="Use letters, digits, - and _.")
        if right not in get_args(Right):
            raise UsageError(f"There is no right {right!r}.", hint="It is read, write or all.")
        clients = dict(self.all())
        if name in clients:
            raise UsageError(f"There is a client {name} already.", hint="Remove it first to give it a new secret.")
        secret, salt = secrets.token_urlsafe(32), secrets.token_hex(16)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        clients[name] = Client(name, right, salt, _hash(secret, salt), created_at)
        self._write(clients)
        return secret

    def remove(self, name: str) -> None:
        """Remove a client; running servers notice with their next request.

        Raises:
            UsageError: there is no such client.
        """
        clients = dict(self.all())
        if not clients.pop(name, None):
            raise UsageError(f"There is no client {name}.", hint="See `schoolhouse xapi clients`.")
        self._write(clients)

    def _write(self, clients: dict[str, Client]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"clients": [asdict(client) for client in clients.values()]}, file, indent=2)
        unfinished.replace(self._path)


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        name, _, secret = value.strip().partition(".")
        return name, secret
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret
    return "", ""


def _hash(secret: str, salt: str) -> str:
    return hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
