"""A relay that ends TLS before a server that speaks none, and certificates that last for a test.

A Kafka broker tells clients its own address, which would lead them past the relay, so the relay writes its own port
over the server's in what comes back. It keeps what clients send, decrypted: the password among it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


def certificate(directory: Path, name: str) -> Certificate:
    """A certificate for 127.0.0.1 that has signed itself, and so is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@dataclass
class TlsRelay:
    """A relay to the server at `target_port`, for clients with the certificate `client`, or for all without one."""

    target_port: int
    own: Certificate
    client: Certificate | None = None
    port: int = 0  # 0: a free one
    heard: bytearray = field(default_factory=bytearray)  # what clients sent
    _pipes: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def listen(self) -> asyncio.Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.own.certificate, self.own.key)
        if self.client:
            context.load_verify_locations(self.client.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        server = await asyncio.start_server(self._serve, HOST, self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, client_in: asyncio.StreamReader, client_out: asyncio.StreamWriter) -> None:
        server_in, server_out = await asyncio.open_connection(HOST, self.target_port)
        mine, theirs = (HOST.encode() + port.to_bytes(4, "big") for port in (self.port, self.target_port))

        def remember(data: bytes) -> bytes:
            self.heard += data
            return data

        pipes = (
            asyncio.create_task(_pipe(client_in, server_out, remember)),
            asyncio.create_task(_pipe(server_in, client_out, lambda data: data.replace(theirs, mine))),
        )
        self._pipes.update(pipes)
        await asyncio.gather(*pipes)
        self._pipes.difference_update(pipes)

    async def close(self, server: asyncio.Server) -> None:
        server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter, change: Callable[[bytes], bytes]) -> None:
    try:
        while data := await source.read(1 << 16):
            sink.write(change(data))
            await sink.drain()
    except (OSError, ssl.SSLError):
        pass  # one side went away; the other one hears of it below
    finally:
        sink.close()


@contextmanager
def running_relay(relay: TlsRelay) -> Iterator[TlsRelay]:
    """The relay, served by a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(relay.listen(), loop).result(timeout=30)
    try:
        yield relay
    finally:
        asyncio.run_coroutine_threadsafe(relay.close(server), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
