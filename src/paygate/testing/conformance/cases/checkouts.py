"""CHECKOUT: a card is stored on the provider's own page, and only when it really was."""

from __future__ import annotations

from ....errors import NotFound, PaygateError
from ....provider import Checkout, CheckoutRequest, CheckoutResult, CheckoutState, EventKind, Outcome
from ..acting import Acting
from ..case import CaseFailed, NotApplicable, case
from ..needs import Need
from ..wire import On, Strike, Trouble

__all__ = ["Checkouts"]

_NEEDS = (Need.CHECKOUT, Need.BOOK)
_WEEK = 7 * 86_400.0


class Checkouts(Acting):
    """Beginning, finishing, failing and expiring."""

    @case(
        "CHECKOUT-01",
        claim="a checkout says where to send the customer, and is open",
        why="There is nothing else that the customer could do.",
        fix="Checkout(reference, url=…), or client_token=… for a form on the shop's own page.",
        needs=_NEEDS,
    )
    def test_a_checkout_has_a_place_to_go(self) -> None:
        checkout = self._begun()
        self.expect(checkout.reference, "the checkout has no reference")
        self.expect(checkout.url or checkout.client_token, "the customer has neither a link nor a form")
        if checkout.url is not None:
            self.expect(checkout.url.startswith(("https://", "http://127.0.0.1")), f"no link: {checkout.url!r}")
        result = self._completed(checkout.reference)
        self.expect(result.state is CheckoutState.OPEN, f"a new checkout is {result.state.value}")
        self.expect(result.credential is None, "an open checkout has a credential")

    @case(
        "CHECKOUT-02",
        claim="a checkout that is begun again under the same key is the same checkout",
        why="The customer's browser asked twice; two open pages store two cards.",
        fix="Send request.key.",
        needs=(Need.CHECKOUT, Need.KEYS, Need.BOOK),
    )
    def test_a_repeated_checkout_is_the_same(self) -> None:
        request = self.shop.checkout_request()
        first, second = self._begun(request), self._begun(request)
        self.expect(first.reference == second.reference, "the repeat under the same key is another checkout")

    @case(
        "CHECKOUT-03",
        claim="when the customer has finished, there is a credential, and it can be charged",
        why="It is what the checkout was for.",
        fix="Answer the credential in the form that charge() takes.",
        needs=_NEEDS,
    )
    def test_a_finished_checkout_gives_a_card_that_can_be_charged(self) -> None:
        checkout = self._begun()
        self.world.approve(checkout.reference)
        result = self._completed(checkout.reference)
        self.expect(result.state is CheckoutState.COMPLETED, f"a finished checkout is {result.state.value}")
        self.expect(result.credential, "a completed checkout has no credential")
        again = self._completed(checkout.reference)
        self.expect(again == result, "asked again, the completed checkout answers something else")
        self.moved()
        if self.capabilities.additional_charge:
            charge, amount = self.charged(card=result.credential)
            self.expect(charge.outcome is Outcome.SUCCEEDED, "the stored card cannot be charged")
            self.moved(amount)

    @case(
        "CHECKOUT-04",
        claim="when the customer fails, no card counts as stored",
        why="A contract without a card that works, found out at the first renewal.",
        fix="COMPLETED only for the provider's documented final state; FAILED with its code.",
        needs=_NEEDS,
    )
    def test_a_failed_checkout_gives_no_card(self) -> None:
        checkout = self._begun()
        self.world.approve(checkout.reference, passed=False)
        result = self._completed(checkout.reference)
        self.expect(
            result.state in {CheckoutState.FAILED, CheckoutState.OPEN},
            f"a checkout whose card was refused is {result.state.value}",
        )
        self.expect(result.credential is None, "a checkout whose card was refused has a credential")

    @case(
        "CHECKOUT-05",
        claim="a checkout that nobody finishes never becomes complete",
        why="Pages are left open; the seller asks a week later.",
        fix="Map the provider's expired state to EXPIRED.",
        needs=_NEEDS,
    )
    def test_a_checkout_that_nobody_finishes(self) -> None:
        checkout = self._begun()
        self.shop.settle(_WEEK)
        result = self._completed(checkout.reference)
        late = checkout.expires_at is not None and checkout.expires_at < self.world.clock.now()
        allowed = {CheckoutState.EXPIRED} if late else {CheckoutState.EXPIRED, CheckoutState.OPEN}
        self.expect(result.state in allowed, f"a week later a checkout that nobody finished is {result.state.value}")

    @case(
        "CHECKOUT-06",
        claim="a checkout that the provider does not know is not found",
        why="The reference comes back through the customer's browser, which may bring anything.",
        fix="Raise NotFound; escape the reference where it goes into a URL.",
        needs=_NEEDS,
    )
    def test_an_unknown_checkout_is_not_found(self) -> None:
        good = self._begun().reference
        for reference in (good[:-4] + "zzzz", "no-such-checkout", "../me", "a?b=c#d", "ｘ"):
            try:
                result = self._completed(reference)
            except NotFound:
                continue
            except PaygateError as exc:
                raise CaseFailed(f"a checkout that nobody knows raised {type(exc).__name__}, not NotFound") from exc
            raise CaseFailed(f"a checkout that nobody knows is {result.state.value}")

    @case(
        "CHECKOUT-07",
        claim="a webhook tells that a checkout has ended, and names it",
        why="Customers close the window before they are sent back.",
        fix="Events of kind CHECKOUT with the reference that begin_checkout gave.",
        needs=(Need.CHECKOUT, Need.WEBHOOKS, Need.BOOK),
    )
    def test_a_webhook_tells_of_the_checkout(self) -> None:
        checkout = self._begun()
        self.world.approve(checkout.reference)
        self.shop.settle(60.0)
        told = [event for event in self.shop.events() if event.kind is EventKind.CHECKOUT]
        self.expect(told, "no webhook tells of the finished checkout")
        self.expect(any(event.reference == checkout.reference for event in told), "the event names another checkout")

    @case(
        "CHECKOUT-08",
        claim="on a broken line a checkout is begun or not, and never complete before it is",
        why="A card that was never stored, on a contract that starts today.",
        fix="Raise ProviderError for whatever is not the provider's documented answer.",
        needs=(Need.CHECKOUT, Need.BOOK, Need.WIRE),
    )
    def test_a_checkout_on_a_broken_line(self) -> None:
        for trouble in Trouble:
            for when in trouble.moments:
                strike = Strike(trouble, when, On.ALL)
                request = self.shop.checkout_request()
                self._under(strike, "begin_checkout", request=request)
                checkout = self._begun(request)
                result = self._under(strike, "complete_checkout", reference=checkout.reference)
                if isinstance(result, CheckoutResult):
                    self.expect(
                        result.state is not CheckoutState.COMPLETED, f"{strike}: an open checkout counts as complete"
                    )
        self.moved()

    @case(
        "CHECKOUT-09",
        claim="what a checkout was begun with comes back with its result, also while it is open",
        why="paygate keeps no checkout: by this it knows whom the card is for, and which contract is to be paid from it.",
        fix="Give request.metadata to the provider, and answer it in CheckoutResult.metadata.",
        needs=_NEEDS,
    )
    def test_what_a_checkout_was_begun_with_comes_back(self) -> None:
        request = self.shop.checkout_request()
        checkout = self._begun(request)
        opened = self._completed(checkout.reference)
        self.world.approve(checkout.reference)
        for result in (opened, self._completed(checkout.reference)):
            order = result.metadata.get("order")
            said = f"a checkout that is {result.state.value}"
            self.expect(order == request.metadata["order"], f"{said} does not bring its metadata back: {order!r}")

    def _begun(self, request: CheckoutRequest | None = None) -> Checkout:
        checkout = self.shop.ask("begin_checkout", request=request or self.shop.checkout_request())
        if not isinstance(checkout, Checkout):
            raise CaseFailed(f"begin_checkout answered {type(checkout).__name__}, not Checkout")
        return checkout

    def _completed(self, reference: str) -> CheckoutResult:
        result = self.shop.ask("complete_checkout", reference=reference)
        if not isinstance(result, CheckoutResult):
            raise CaseFailed(f"complete_checkout answered {type(result).__name__}, not CheckoutResult")
        return result

    def _under(self, strike: Strike, hook: str, **arguments: object) -> object:
        self.world.break_line(strike, hook)
        try:
            return self.shop.ask(hook, **arguments)
        except (PaygateError, NotApplicable):
            return None
        except Exception as exc:
            raise CaseFailed(f"{strike}: {hook} raised {type(exc).__name__}: {exc}") from exc
        finally:
            self.world.break_line(None)
