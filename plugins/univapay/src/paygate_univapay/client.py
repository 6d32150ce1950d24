"""Requests to UnivaPay and what their answers are, before anybody asks what they mean for money."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs

from paygate.errors import ConfigurationError, OutcomeUnknown, ProviderUnavailable
from paygate.flow import Replay, Request, Response, send

from .codes import HTTP_CODES
from .settings import UnivaPaySettings

__all__ = ["Client", "Reply", "refused_account"]

#: ``Idempotency-Status`` values that say the key was looked at before anything was done (§13).
_CHECKED = frozenset({"successfully_stored", "not_stored", "retrieved_idempotent_response"})

#: Seconds to wait for an answer that UnivaPay itself holds back for up to 3 seconds.
_POLL_TIMEOUT = 10.0


@attrs.frozen
class Reply:
    """The answer to a request that changes something.

    :param body: the JSON object, or None where the body is none: then whoever answered was not UnivaPay's own code,
        unless the status is one that comes without a body.
    :param repeated: the driver sent the request more than once.
    :param checked: UnivaPay says that it looked at the idempotency key.
    :param blank: there was no body at all, which UnivaPay's 404 and 429 may come without (§15.1).
    """

    status: int
    body: Mapping[str, Any] | None = attrs.field(repr=False)
    code: str
    text: str
    repeated: bool
    checked: bool
    blank: bool = False

    @property
    def refuses_account(self) -> bool:
        """UnivaPay refuses the account's credentials, or what they may do: the status says so, whatever the code (§20.2).

        A locked card is the one exception.
        """
        return self.status in {401, 403} and (self.status, self.code) != (403, "CARD_LOCKED")

    @property
    def nowhere(self) -> bool:
        """A 404 of which the code, if there is one, does not say that a card or token is meant (§15.1)."""
        return self.status == 404 and self.code not in HTTP_CODES

    @property
    def doubtful(self) -> bool:
        """Whether an earlier sending may have had its effect beside this one (§20.4)."""
        return self.repeated and not self.checked

    @property
    def created(self) -> Mapping[str, Any] | None:
        """The resource, where the request was accepted and one came back."""
        resource = self.body if 200 <= self.status < 300 else None
        return resource if resource is not None and isinstance(resource.get("id"), str) and resource["id"] else None


@attrs.frozen
class Client:
    """Builds and sends requests of one store. Awaits only :mod:`paygate.flow`; repeats nothing by itself."""

    settings: UnivaPaySettings
    store_id: str
    mode: str

    @classmethod
    def of(cls, settings: UnivaPaySettings) -> Client:
        """The client for *settings*."""
        return cls(settings, settings.store_id, settings.mode)

    def path(self, kind: str, *segments: str) -> str:
        """``/stores/{store}/{kind}/…`` with *segments* escaped: ids come from outside."""
        return "/".join(("", "stores", quote(self.store_id, safe=""), kind, *(quote(s, safe="") for s in segments)))

    def charge_path(self, *segments: str) -> str:
        """``/stores/{store}/charges/…``."""
        return self.path("charges", *segments)

    def owns(self, resource: Mapping[str, Any]) -> bool:
        """Whether *resource* belongs to the account's store and mode; what it does not say is not held against it."""
        place = resource.get("store_id", self.store_id), resource.get("mode", self.mode)
        return place == (self.store_id, self.mode)

    async def create(self, path: str, body: Mapping[str, Any], key: str) -> Reply:
        """POST *body* under the idempotency *key*.

        The driver may repeat it under the same key (§20.4, step 1); :class:`Reply` tells when that proves too little.

        :raises ProviderUnavailable: certainly nothing happened.
        :raises OutcomeUnknown: the answer was lost.
        """
        headers = {**self._headers(), "Idempotency-Key": key}
        return await self._write("POST", path, headers, body, Replay.SAME_KEY)

    async def change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """PATCH or DELETE the resource at *path*. What the answer says is no proof: read the resource again.

        :raises ProviderUnavailable: certainly nothing happened.
        :raises OutcomeUnknown: the answer was lost.
        """
        return await self._write(method, path, self._headers(), body, Replay.NEVER)

    async def _write(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None, replay: Replay
    ) -> Reply:
        data = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        url = f"{self.settings.base_url.rstrip('/')}{path}"
        response = await send(Request(method, url, headers, data, replay=replay))
        content = _object(response)
        code, text = _error(content)
        checked = response.headers.get("idempotency-status") in _CHECKED
        return Reply(response.status, content, code, text, response.repeated, checked, blank=not response.body.strip())

    async def read(
        self, path: str, query: Mapping[str, str] | None = None, *, poll: bool = False
    ) -> Mapping[str, Any] | None:
        """GET *path*; None where UnivaPay knows no such thing.

        :param poll: let UnivaPay hold the answer for up to 3 seconds until the state changes (§7.3).
        :raises ConfigurationError: UnivaPay refuses the credentials.
        :raises ProviderUnavailable: no readable answer; reading moves no money.
        """
        asked = {**(query or {}), **({"polling": "true"} if poll else {})}
        url = f"{self.settings.base_url.rstrip('/')}{path}" + (f"?{urlencode(asked)}" if asked else "")
        response = await send(Request("GET", url, self._headers(), timeout=_POLL_TIMEOUT if poll else None))
        if response.status == 404:
            return None
        content = _object(response)
        code, _ = _error(content)
        if response.status in {401, 403}:
            raise ConfigurationError(f"univapay: {refused_account(response.status, code)}")
        if response.status != 200 or content is None:
            raise ProviderUnavailable(
                f"univapay: the answer to a look-up was not usable (HTTP {response.status}); look again later",
                code=code or None,
            )
        return content

    async def why_nowhere(self, reply: Reply) -> str | None:
        """Why a POST that was refused with 404 says nothing about the card; None where it does.

        The same status says that UnivaPay does not know the token, or the store, or the address; a list of the store,
        which is there in any case, tells them apart.
        """
        if reply.status != 404:
            return None
        if reply.blank or not reply.nowhere:
            try:
                page = await self.read(self.charge_path(), {"limit": "1"})
            except (ProviderUnavailable, OutcomeUnknown, ConfigurationError):
                page = None
            if page is not None and isinstance(page.get("items"), list):
                return None
        return (
            f"UnivaPay answers HTTP 404 {reply.code or 'without a code'}, which is not about the card; check the account's "
            "base_url, and that its app_token is of the store"
        )

    def _headers(self) -> dict[str, str]:
        credential = f"{self.settings.secret}.{self.settings.app_token}"  # secret first (§3)
        return {"Authorization": f"Bearer {credential}", "Accept": "application/json"}


def refused_account(status: int, code: str) -> str:
    """What to do about an account that UnivaPay refuses."""
    return (
        f"UnivaPay refuses the credentials (HTTP {status} {code or 'without a code'}); check the account's settings "
        "app_token and secret, or PAYGATE_<ACCOUNT>_APP_TOKEN and PAYGATE_<ACCOUNT>_SECRET in the environment, and what the "
        "token may do"
    )


def _object(response: Response) -> Mapping[str, Any] | None:
    """The JSON object in the body, or None."""
    try:
        content = response.json()
    except OutcomeUnknown:
        return None
    return content if isinstance(content, dict) else None


def _error(content: Mapping[str, Any] | None) -> tuple[str, str]:
    """Code and readable text of an HTTP error (§15.1). Field names and reasons only: no value that was sent."""
    if content is None or content.get("status") != "error" or not isinstance(content.get("code"), str):
        return "", ""
    errors = content.get("errors")
    said = [
        f"{one.get('field')}: {one.get('reason')}"
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict)
    ]
    return content["code"], "; ".join(said)[:200]
