"""The page on which the customer of an emulated payment says yes or no, for people and for browsers under test."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ...flow import Request, Response

if TYPE_CHECKING:
    from .base import Emulator

__all__ = ["CustomerPage"]

_HTML = {"Content-Type": "text/html; charset=utf-8"}

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{content}</body></html>
"""

_QUESTION = """<p>{provider} asks the customer to confirm <code>{identifier}</code>. No money moves here.</p>
<form method="post">
<button name="passed" value="true">Complete</button>
<button name="passed" value="false">Fail</button>
</form>"""


class CustomerPage:
    """``/_paygate/customer/{id}``."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def show(self, _request: Request, names: Mapping[str, str]) -> Response:
        if names["id"] not in self._emulator.awaiting():
            return _page(404, "Nothing to confirm", "<p>Nothing of this id waits for the customer.</p>")
        question = _QUESTION.format(
            provider=html.escape(self._emulator.name.capitalize()), identifier=html.escape(names["id"])
        )
        return _page(200, "Emulated confirmation", question)

    def decide(self, request: Request, names: Mapping[str, str]) -> Response:
        passed = parse_qs(request.body.decode(errors="replace")).get("passed") == ["true"]
        try:
            self._emulator.approve(names["id"], passed=passed)
        except KeyError:
            return self.show(request, names)
        self._emulator.catch_up()
        back = self._emulator.return_url(names["id"])
        if back is not None:
            return Response(303, {"Location": back})
        return _page(200, "Confirmed" if passed else "Failed", "<p>You may close this page.</p>")


def _page(status: int, title: str, content: str) -> Response:
    return Response(status, _HTML, _PAGE.format(title=html.escape(title), content=content).encode())
