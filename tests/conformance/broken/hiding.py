"""Mistakes that show secrets, or do things behind the driver's back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from paygate.errors import ConfigurationError
from paygate.flow import Response

from ..acme import Acme


class ShowsTheKeyInAnError(Acme):
    """So that one sees which key is wrong."""

    CAUGHT_BY: ClassVar = {"CORE-21"}
    ALSO: ClassVar = set()

    async def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> Response:
        try:
            return await super()._post(path, body, key)
        except ConfigurationError:
            raise ConfigurationError(f"acme refuses the key {self.settings.api_key}") from None


class LogsTheRequest(Acme):
    """For debugging."""

    CAUGHT_BY: ClassVar = {"CORE-21", "CORE-22"}
    ALSO: ClassVar = set()

    async def _post(self, path: str, body: Mapping[str, Any], key: str | None) -> Response:
        logging.getLogger("acme").debug("POST %s %s", path, body)
        return await super()._post(path, body, key)


class KeepsTheWholeAnswer(Acme):
    """One never knows what it will be good for."""

    CAUGHT_BY: ClassVar = {"CORE-22"}
    ALSO: ClassVar = set()

    def _kept(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return record


class PrintsItsKey(Acme):
    """A helpful repr."""

    CAUGHT_BY: ClassVar = {"CORE-20"}
    ALSO: ClassVar = set()

    def __repr__(self) -> str:
        return f"<Acme {self.settings.api_key}>"


class AwaitsAnEventLoop(Acme):
    """Works on asyncio, and nowhere else."""

    CAUGHT_BY: ClassVar = {"CORE-08"}
    ALSO: ClassVar = {"CORE-23"}

    async def ping(self) -> str:
        await asyncio.sleep(0)
        return "Acme answers"


class SleepsForReal(Acme):
    """Polls by sleeping in the thread, and stops the event loop."""

    CAUGHT_BY: ClassVar = {"CORE-08"}
    ALSO: ClassVar = set()

    async def ping(self) -> str:
        time.sleep(0.001)  # noqa: ASYNC251 - the mistake
        return await super().ping()


class PingsNobody(Acme):
    """Fine, whatever the key."""

    CAUGHT_BY: ClassVar = {"CORE-23"}
    ALSO: ClassVar = set()

    async def ping(self) -> str:
        return "Acme answers"
