"""The shop's side of webhooks in the demo: an HTTP endpoint on loopback in front of ``gateway.webhooks.receive``."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import attrs

from ..errors import NotFound, WebhookRejected
from ..gateway import Gateway

__all__ = ["Answer", "Endpoint"]

#: Seconds between two looks for the end.
_TICK = 0.02

_PREFIX = "/webhooks/"


@attrs.frozen
class Answer:
    """What the endpoint answered to one delivery: the HTTP status, and what became of each event in it."""

    account: str
    status: int
    outcomes: tuple[str, ...] = ()


class Endpoint:
    """Answers ``POST /webhooks/<account>`` while the ``with`` block lasts; ``answers`` lists what it said.

    :param gateway: it is called from the endpoint's own threads.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.answers: list[Answer] = []
        self._server = _Server(gateway, self.answers)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_TICK,), name="demo-webhooks")

    def url(self, account: str) -> str:
        """Where the provider behind *account* has to deliver."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{_PREFIX}{account}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close: no delivery outlives the gateway

    def __init__(self, gateway: Gateway, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway = gateway
        self.answers = answers


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        account = self.path.removeprefix(_PREFIX)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            receipt = self.server.gateway.webhooks.receive(account, dict(self.headers.items()), body)
        except WebhookRejected as exc:
            answer = Answer(account, exc.status)
        except NotFound:
            answer = Answer(account, 404)
        else:
            answer = Answer(account, 200, tuple(event.outcome for event in receipt.events))
        self.server.answers.append(answer)
        text = json.dumps({"events": answer.outcomes}).encode()
        self.send_response_only(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: the demo prints what matters."""
