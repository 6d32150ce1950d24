"""What providers tell us: authentic, once, in any order (R-194, R-269)."""

from __future__ import annotations

import pytest

from paygate import ChargeState, Money
from paygate.domain.ledger import EntryKind
from paygate.errors import InvalidValue, NotFound, WebhookRejected
from paygate.testing import StayPending


def pending(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())
    charge = world.charge(contract)
    world.univapay.finish(charge.reference)
    return contract, charge


@pytest.mark.rule("R-194", "R-269", "X-17")
def test_a_delivery_settles_the_charge_and_its_repeats_change_nothing(world):
    contract, charge = pending(world)
    [notice] = world.univapay.notifications()

    first = world.gateway.webhooks.receive("univapay", notice.headers, notice.body)
    second = world.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert [event.outcome for event in first.events] == ["applied"]
    assert [event.outcome for event in second.events] == ["repeated"]
    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert len([row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]) == 1


@pytest.mark.rule("X-17")
def test_a_forged_delivery_is_refused_and_changes_nothing(world):
    _, charge = pending(world)
    [notice] = world.univapay.notifications()
    forged = dict.fromkeys(notice.headers, "forged")

    with pytest.raises(WebhookRejected) as caught:
        world.gateway.webhooks.receive("univapay", forged, notice.body)

    assert caught.value.status == 401
    assert world.gateway.charges.get(charge.id).state is ChargeState.PENDING


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfa", b"[1,2]", b'{"event": 7}', b"<html>"])
def test_a_malformed_delivery_is_refused(world, body):
    _, charge = pending(world)
    [notice] = world.univapay.notifications()

    with pytest.raises(WebhookRejected) as caught:
        world.gateway.webhooks.receive("univapay", notice.headers, body)

    assert caught.value.status in {400, 401}
    assert world.gateway.charges.get(charge.id).state is ChargeState.PENDING


def test_a_body_of_ten_megabytes_is_refused_unread(world):
    _, charge = pending(world)

    with pytest.raises(WebhookRejected, match="10,485,760 bytes") as caught:
        world.gateway.webhooks.receive("univapay", {}, b"x" * 10_485_760)

    assert caught.value.status == 413
    assert world.gateway.charges.get(charge.id).state is ChargeState.PENDING


def test_a_body_that_is_no_bytes_and_an_unknown_account_are_named(world):
    with pytest.raises(InvalidValue, match="raw bytes"):
        world.gateway.webhooks.receive("univapay", {}, "text")
    with pytest.raises(NotFound, match=r"'paypal'.*configured: amazonpay, stripe, telecom, univapay"):
        world.gateway.webhooks.receive("paypal", {}, b"{}")


@pytest.mark.rule("R-269")
def test_an_event_about_a_charge_that_paygate_did_not_make_is_stored_and_reported(world):
    world.contract("univapay")
    world.univapay.charge_unasked("tok_univapay_cus_1", Money(999, "JPY"))
    world.clock.advance(minutes=1)
    notice = world.univapay.notifications()[-1]

    receipt = world.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert [event.outcome for event in receipt.events] == ["unmatched"]
    assert [told.code for told in world.observer.of("operator")] == ["unmatched_event"]


def test_a_notice_that_overtakes_the_answer_is_applied_and_the_answer_changes_nothing(world, monkeypatch):
    contract = world.contract("univapay")
    real = world.univapay.charge
    world.univapay.next(StayPending())

    async def slow(request):
        answer = await real(request)
        world.univapay.finish(answer.reference)
        world.deliver("univapay")
        return answer

    monkeypatch.setattr(world.univapay, "charge", slow)
    world.reopen()
    charge = world.charge(contract)

    assert charge.state is ChargeState.SUCCEEDED
    assert len([row for row in world.gateway.ledger.list(contract_id=contract.id) if row.kind is EntryKind.ADDON]) == 1


def test_a_crash_while_an_event_is_applied_leaves_it_to_the_redelivery(world, monkeypatch):
    _, charge = pending(world)
    [notice] = world.univapay.notifications()

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("paygate.billing.webhooks.apply_charge", die)
    with pytest.raises(KeyboardInterrupt):
        world.gateway.webhooks.receive("univapay", notice.headers, notice.body)
    monkeypatch.undo()
    receipt = world.gateway.webhooks.receive("univapay", notice.headers, notice.body)

    assert [event.outcome for event in receipt.events] == ["applied"]
    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
