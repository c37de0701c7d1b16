"""A fake of an OpenID Connect identity provider: discovery, keys, and tokens for whoever the test says is there."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey


@cache
def _own_key() -> RSAKey:
    """The provider's key; making one takes longer than a test."""
    return RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class FakeProvider:
    """What the provider does: `claims` go into the next token, `key` signs it, `challenges` holds codes given out."""

    address: str = ""
    key: RSAKey = field(default_factory=_own_key)
    signing_key: RSAKey | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    challenges: dict[str, str] = field(default_factory=dict)

    def token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        verifier = form["code_verifier"][0]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if self.challenges.pop(form["code"][0], "") != challenge:
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.address, "aud": "schoolhouse", "sub": "kim-1", "iat": now, "exp": now + 60, **self.claims}
        return {"id_token": jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signing_key or self.key)}


@contextmanager
def running_provider() -> Iterator[FakeProvider]:
    """The provider, on a free port of this machine."""
    provider = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(
                {"keys": [provider.key.as_dict(private=False)]}
                if self.path == "/keys"
                else {
                    "issuer": provider.address,
                    "authorization_endpoint": f"{provider.address}/authorize",
                    "token_endpoint": f"{provider.address}/token",
                    "jwks_uri": f"{provider.address}/keys",
                }
            )

        def do_POST(self) -> None:
            self._send(provider.token(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())))

        def _send(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(400 if "error" in body else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield provider
        server.shutdown()
        thread.join()
