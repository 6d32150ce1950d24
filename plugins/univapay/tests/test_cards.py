"""Stored cards of UnivaPay: another token for a running subscription, told about, deleted (R-403, R-405)."""

from __future__ import annotations

import pytest

from paygate.errors import CapabilityNotSupported, InvalidValue, ProviderError
from paygate.provider import CredentialRequest, CredentialState, SubscriptionPayment, SubscriptionRequest
from paygate.testing.emulators import Fault, FaultKind, When


def change(shop, reference, new, contract="c1", **options):
    request = SubscriptionPayment(contract, shop.card, new, reference, **options)
    return shop.driver.run(shop.provider.change_recurring_payment(request))


def token_of(shop, reference):
    return shop.api("GET", shop.path(reference))["transaction_token_id"]


@pytest.mark.rule("R-403")
@pytest.mark.parametrize("named", [True, False])
def test_a_running_subscription_charges_the_new_token_from_then_on(renewing, named):
    reference = renewing.start().reference
    new = renewing.emulator.add_card()

    for _ in range(2):
        done = change(renewing, reference if named else None, new, collect=True)

    assert not done.collecting
    assert token_of(renewing, reference) == new
    renewing.noon(2026, 12, 23)
    assert renewing.book.captured() == 3000
    charge = renewing.api("GET", f"{renewing.path(reference)}/charges/latest")
    assert charge["transaction_token_id"] == new
    assert renewing.sent("PATCH", "/token") == 1


@pytest.mark.rule("R-403")
@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.ERROR])
def test_a_change_whose_answer_is_lost_is_only_success_if_it_was_made(renewing, kind, when):
    reference, new = renewing.start().reference, renewing.emulator.add_card()
    renewing.emulator.faults.add(Fault(kind, when), times=9, match="PATCH")

    try:
        change(renewing, reference, new)
        done = True
    except ProviderError:
        done = False
    renewing.emulator.faults.clear()

    assert not done or token_of(renewing, reference) == new
    change(renewing, reference, new)
    assert token_of(renewing, reference) == new


@pytest.mark.rule("R-403")
def test_a_subscription_that_has_ended_or_is_anothers_takes_no_token(renewing):
    reference, new = renewing.start().reference, renewing.emulator.add_card()

    with pytest.raises(ProviderError, match="not of contract"):
        change(renewing, reference, new, contract="c2")
    with pytest.raises(InvalidValue, match="card number"):
        change(renewing, reference, "4242424242424242")
    renewing.driver.run(renewing.provider.stop_recurring(SubscriptionRequest("c1", renewing.card, None, reference)))
    with pytest.raises(ProviderError, match="has ended"):
        change(renewing, reference, new)


@pytest.mark.rule("R-402")
def test_without_subscriptions_of_its_own_the_account_refuses(shop):
    with pytest.raises(CapabilityNotSupported):
        change(shop, None, shop.card)

    assert not shop.emulator.requests


@pytest.mark.rule("R-405")
def test_a_token_is_described_and_deleted_for_good(shop):
    card = CredentialRequest(shop.card)

    described = shop.driver.run(shop.provider.describe_card(card))

    assert described.state is CredentialState.USABLE
    assert described.brand == "visa"
    assert described.last4.isdigit()
    assert len(described.last4) == 4
    assert described.expires > "2026-11"
    for _ in range(2):
        shop.driver.run(shop.provider.revoke_card(card))
    assert shop.driver.run(shop.provider.describe_card(card)).state is CredentialState.REVOKED
    assert shop.sent("DELETE", shop.card) == 1


@pytest.mark.rule("R-405")
def test_a_token_that_unknown_to_univapay_is_gone(shop):
    unknown = CredentialRequest("11f0b001-aaaa-4d00-8f00-00000000dead")

    assert shop.driver.run(shop.provider.describe_card(unknown)).state is CredentialState.REVOKED
    shop.driver.run(shop.provider.revoke_card(unknown))
    assert shop.sent("DELETE", unknown.credential) == 0
