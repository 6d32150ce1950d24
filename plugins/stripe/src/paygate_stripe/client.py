"""Requests to Stripe and what their answers are, before anybody asks what they mean for money."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    InvalidValue,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
)

from .resources import clean, id_in, metadata_in, object_in, text_in
from .settings import StripeSettings

if TYPE_CHECKING:
    import datetime as dt

    import stripe

__all__ = ["Asked", "Client", "Reply"]

#: A call of the stripe package that has not begun.
Asked: TypeAlias = "Coroutine[Any, Any, stripe.StripeObject]"

#: Header of an answer that was stored under the request's idempotency key.
_REPLAYED = "idempotent-replayed"


@attrs.frozen
class Reply:
    """The answer to one request.

    :param body: the resource, where the request succeeded.
    :param error: Stripe's error object, where it did not; empty where whoever answered was not Stripe's own code.
    :param repeated: the driver sent the request more than once, so an earlier sending may have had its effect.
    :param replayed: Stripe knew the key and answered as it did the first time; things may have moved on since (§7).
    :param request_id: Stripe's name of the exchange, for its support.
    """

    status: int
    body: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    error: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    repeated: bool = False
    replayed: bool = False
    request_id: str | None = None

    @property
    def created(self) -> Mapping[str, Any] | None:
        """The resource, where the request was accepted and one with an id came back."""
        return self.body if text_in(self.body, "id") else None

    @property
    def type(self) -> str:
        """Stripe's kind of error, for example ``card_error``."""
        return text_in(self.error, "type") or ""

    @property
    def code(self) -> str:
        """What went wrong: the bank's reason where there is one, else Stripe's code, else its kind of error (§6)."""
        found = (text_in(self.error, name) for name in ("decline_code", "code", "type"))
        return next(filter(None, found), "")

    @property
    def message(self) -> str:
        """Stripe's text, without anything that was sent."""
        return clean(text_in(self.error, "message") or "")

    @property
    def limited(self) -> bool:
        """Stripe takes no more requests just now, or somebody else holds the object; nothing was done (§7, §12)."""
        return self.status == 429 or (self.status == 400 and text_in(self.error, "code") == "rate_limit")

    @property
    def refuses_credentials(self) -> bool:
        """The key is wrong, expired, or may not do this."""
        return self.status in {401, 403} and bool(self.error)

    @property
    def missing(self) -> bool:
        """Stripe knows no such thing."""
        return self.status == 404 and text_in(self.error, "code") == "resource_missing"


@attrs.frozen
class Client:
    """Asks one account of Stripe. Awaits only :mod:`paygate.flow`; repeats nothing by itself."""

    settings: StripeSettings
    stripe: stripe.StripeClient = attrs.field(repr=False)
    now: Callable[[], dt.datetime] = attrs.field(repr=False)

    @classmethod
    def of(cls, settings: StripeSettings, now: Callable[[], dt.datetime]) -> Client:
        """The client for *settings*; *now* tells the time."""
        from .transport import connect  # noqa: PLC0415 - loads the stripe package, which listing plugins must not

        return cls(settings, connect(settings), now)

    async def ask(self, asked: Asked) -> Reply:
        """Perform a call of the stripe package and say what came back.

        :raises ProviderUnavailable: certainly nothing happened.
        :raises OutcomeUnknown: the answer was lost.
        """
        from stripe import StripeError  # noqa: PLC0415

        from .transport import REPEATED, Unreadable, unlogged  # noqa: PLC0415

        with unlogged():
            try:
                answer = await asked
            except Unreadable as exc:
                return Reply(exc.status, repeated=exc.repeated)
            except StripeError as exc:
                if exc.http_status is None:
                    # the package itself refuses the call; what it says may quote what it was given
                    raise InvalidValue(
                        f"stripe: the stripe package refuses the call ({type(exc).__name__}); nothing was sent"
                    ) from None
                body = exc.json_body
                error = body.get("error") if isinstance(body, dict) else None
                return Reply(
                    exc.http_status or 0,
                    error=error if isinstance(error, dict) else {},
                    repeated=REPEATED in (exc.headers or {}),
                    replayed=_REPLAYED in (exc.headers or {}),
                    request_id=exc.request_id,
                )
        response = cast("stripe.StripeResponse", answer.last_response)
        return Reply(
            response.code,
            cast("Mapping[str, Any]", response.data),  # the transport lets only objects through
            repeated=REPEATED in response.headers,
            replayed=_REPLAYED in response.headers,
            request_id=response.request_id,
        )

    async def read(self, asked: Asked, reference: str | None = None) -> Mapping[str, Any] | None:
        """Perform a call that only reads; None where Stripe knows no such thing.

        :param reference: the id that the answer has to have.
        :raises ConfigurationError: Stripe refuses the account's key.
        :raises ProviderUnavailable: no usable answer; reading moves no money.
        """
        reply = await self.ask(asked)
        if reply.missing:
            return None
        if reply.refuses_credentials:
            raise refused_credentials(reply)
        if reply.body is None:
            said = f"HTTP {reply.status} {reply.code}".rstrip()
            raise ProviderUnavailable(
                f"stripe: the answer to a look-up was not usable ({said}); look again later",
                code=reply.code or None,
                request_id=reply.request_id,
            )
        if (reference is not None and reply.body.get("id") != reference) or not self.of_mode(reply.body):
            raise ProviderUnavailable("stripe: a look-up was answered with something else; look again later")
        return reply.body

    def of_mode(self, resource: Mapping[str, Any]) -> bool:
        """Whether *resource* is of the account's mode; one that does not say so is not held against it."""
        live = resource.get("livemode")
        return not isinstance(live, bool) or live is (self.settings.mode == "live")

    async def as_it_is_now(
        self, reply: Reply, read: Callable[[Client, str], Coroutine[Any, Any, Mapping[str, Any] | None]]
    ) -> Mapping[str, Any] | None:
        """The resource that *reply* tells of: as answered, or, where the answer is an old one, as it has become since.

        :param read: reads the resource of an id.
        :returns: None where *reply* brought none, or a refusal that still stands.
        """
        reference = text_in(reply.body, "id") or text_in(object_in(reply.error, "payment_intent"), "id")
        if not reply.replayed or reference is None:
            return reply.created
        try:
            return await read(self, reference) or reply.created
        except (ProviderUnavailable, ConfigurationError):
            return reply.created

    async def listed(
        self,
        page: Callable[[str | None], Asked],
        key: str | None,
        own: str = "",
        *,
        kind: str,
        of: tuple[str, str] | None = None,
    ) -> list[Mapping[str, Any]]:
        """What of a list carries our id *own* in its metadata, newest first, whichever page it is on.

        What is found is believed. That something is not found is a proof, so for that every page has to be understood as a
        whole, and of every item it has to be plain that it carries another id or none (R-307).

        :param page: makes the call for the page after an id; None for the first.
        :param key: the metadata key of our id; None: all that is of that list.
        :param kind: what is listed, as Stripe names it in ``object``.
        :param of: the field of each item and the id in it by which the list was filtered.
        :raises ProviderUnavailable: a page could not be read; or nothing was found, and a page is not one of that list.
        """
        found: dict[str, Mapping[str, Any]] = {}
        doubt: str | None = None
        seen: set[str] = set()
        after: str | None = None
        while True:
            content = await self.read(page(after))
            items, more = _items(content)
            sound = [item for item in items if self._is_listed(item, kind, of)]
            found |= {item["id"]: item for item in sound if key is None or metadata_in(item, key) == own}
            if not _is_page(content):
                doubt = doubt or "it is no list"
            elif len(sound) < len(items):
                doubt = doubt or f"something on it is no {kind} of that list"
            elif not all(_tells_whose(item, key, of) for item in sound):
                doubt = doubt or f"a {kind} on it does not tell whose it is"
            if more and not {item["id"] for item in sound} - seen:
                doubt, more = doubt or "it promises more and brings nothing new", False
            if not more:
                break
            seen.update(item["id"] for item in sound)
            after = str(sound[-1]["id"])
        if doubt is not None and not found:
            raise ProviderUnavailable(f"stripe: a list cannot be relied on ({doubt}); look again later")
        return list(found.values())

    def _is_listed(self, item: object, kind: str, of: tuple[str, str] | None) -> bool:
        """Whether *item* is what the list was asked for; what it does not say is not held against it."""
        return (
            isinstance(item, Mapping)
            and text_in(item, "id") is not None
            and item.get("object", kind) == kind
            and self.of_mode(item)
            and (of is None or id_in(item, of[0]) in {None, of[1]})
        )

    async def change(self, asked: Asked) -> Mapping[str, Any]:
        """Perform a call that charges nothing by itself, and return the resource.

        :raises ConfigurationError: Stripe refuses the account's key.
        :raises ChargeDeclined: a bank refused the card.
        :raises ProviderUnavailable: certainly nothing happened.
        :raises OutcomeUnknown: whether it happened cannot be read from the answer.
        :raises ProviderError: Stripe refused the request.
        """
        reply = await self.ask(asked)
        if reply.created is not None:
            return reply.created
        about = {"code": reply.code or None, "request_id": reply.request_id}
        said = f"stripe: HTTP {reply.status} {reply.code}".rstrip() + (f": {reply.message}" if reply.message else "")
        if reply.status == 402 and reply.error:
            raise ChargeDeclined(said, **about)
        if reply.limited and not reply.repeated:
            raise ProviderUnavailable(f"{said}; Stripe takes no more requests just now, try again later", **about)
        if reply.refuses_credentials and not reply.repeated:
            raise refused_credentials(reply)
        if reply.status in {400, 404} and reply.type == "invalid_request_error":
            raise ProviderError(said, **about)
        raise OutcomeUnknown(f"{said}; whether it was processed cannot be read from that", **about)


def _tells_whose(item: Mapping[str, Any], key: str | None, of: tuple[str, str] | None) -> bool:
    """Whether *item* is plainly ours or plainly not: with metadata, complete, of a mode, and of what the list is of."""
    metadata = object_in(item, "metadata")
    return (
        (key is None or (metadata is not None and (key not in metadata or text_in(metadata, key) is not None)))
        and item.get("deleted", False) is False
        and isinstance(item.get("livemode", False), bool)
        and (of is None or id_in(item, of[0]) == of[1])
    )


def _items(content: Mapping[str, Any] | None) -> tuple[list[Any], bool]:
    """What is on a page, of whatever form, and whether more is promised."""
    items = content.get("data") if content is not None else None
    return (items if isinstance(items, list) else [], content is not None and content.get("has_more") is True)


def _is_page(content: Mapping[str, Any] | None) -> bool:
    """Whether the answer has the form of a page."""
    return (
        content is not None
        and content.get("object") == "list"
        and isinstance(content.get("data"), list)
        and isinstance(content.get("has_more"), bool)
    )


def refused_credentials(reply: Reply) -> ConfigurationError:
    """The error for an account whose key Stripe does not take."""
    return ConfigurationError(
        f"stripe: Stripe refuses the key (HTTP {reply.status} {reply.code}: {reply.message}); check the account's "
        "setting api_key, or PAYGATE_<ACCOUNT>_API_KEY in the environment, and what a restricted key may do"
    )
