"""A real SMTP server on loopback, with and without TLS, that keeps what it is given and refuses what it is told to."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

PASSWORD = "correct-horse-battery"


class Mailbox:
    """The server's handler.

    :param refuse: answers by recipient address, for example ``{"gone@example.com": "550 no such user"}``.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        self.refuse: dict[str, str] = {}
        self.answer = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if not self.answer.startswith("250"):
            return self.answer
        self.raw.append(envelope.content)
        self.mails.append(message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        self.encrypted.append(session.ssl is not None)
        return self.answer

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class Server(Controller):
    """A controller on a port that the system chooses."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


Start = Callable[..., tuple[Mailbox, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server with options of ``aiosmtpd``; answers its mailbox and its port. *login*: it takes no other mail."""
    running: list[Server] = []

    def start(port: int = 0, *, login: bool = False, **options: Any) -> tuple[Mailbox, int]:
        box = Mailbox()
        if login:
            options |= {"auth_required": True, "require_starttls": True, "authenticator": box.authenticate}
        server = Server(box, hostname="127.0.0.1", port=port, **options)
        server.start()
        running.append(server)
        return box, server.port

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A throw-away certificate for 127.0.0.1: its PEM file, and the server's side of it."""
    if shutil.which("openssl") is None:
        pytest.skip("the tests of encrypted mail were left out: there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context
