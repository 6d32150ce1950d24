"""Stored cards: told about, revoked, and announced before they end (R-405, R-408)."""

import datetime as dt

import attrs
import pytest

from paygate import JST, Card, Customer, Cycle, Money, Plan, Status
from paygate.domain.contract import Actor
from paygate.errors import CapabilityNotSupported, InvalidValue, NotFound, OperationNotAllowed, PermissionDenied
from paygate.testing import StayPending

HANAKO = Customer("cus_1", "山田花子", "cus_1@example.com")
TOKEN = "tok_stripe_cus_1"


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def told(world):
    return [
        (one.notice.audience.value, one.contract.id, one.notice.facts["card_expires_on"].isoformat(), one.notice.facts["card"])
        for one in world.observer.of("notice")
        if one.notice.kind.value == "card_expiring"
    ]  # fmt: skip


def known(world, expires, token=TOKEN):
    world.stripe.set_expiry(token, expires)
    return world.gateway.credentials.refresh(older_than=dt.timedelta(0))


# --- what is known ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-405")
def test_stored_cards_are_listed_without_their_tokens_and_asked_about_on_request(faces):
    first = faces.contract("stripe")
    second = faces.contract("stripe")
    faces.contract("telecom", customer="cus_1")
    faces.stripe.set_expiry(TOKEN, "2027-02")

    before = faces.gateway.credentials.list("cus_1")
    after = faces.gateway.credentials.list("cus_1", refresh=True)

    assert [(one.account, one.brand, one.seen_at) for one in before] == [
        ("stripe", None, None),
        ("telecom", None, None),
    ]
    (stripe, telecom) = after
    assert (stripe.brand, stripe.last4, stripe.expires_on) == ("visa", "4242", dt.date(2027, 2, 28))
    assert (stripe.contract_ids, stripe.in_use, stripe.revoked) == ((first.id, second.id), True, False)
    assert telecom.seen_at is None
    assert "tok_" not in repr(after)
    assert "tok_" not in str([attrs.asdict(one) for one in after])
    assert faces.gateway.credentials.get("cus_1", stripe.id) == stripe
    with pytest.raises(NotFound):
        faces.gateway.credentials.get("cus_1", "0" * 32)
    with pytest.raises(NotFound):
        faces.gateway.credentials.list("cus_nobody")


@pytest.mark.rule("R-405")
def test_a_checkout_tells_of_its_card_and_so_does_a_change(world):
    contract = world.contract("stripe")
    checkout = world.gateway.checkouts.begin("stripe", HANAKO, return_url="https://shop.example/", replace=contract.id)
    world.stripe.store_card(checkout.reference, credential="tok_new")
    world.gateway.checkouts.complete("stripe", checkout.reference)
    (one,) = world.gateway.credentials.list("cus_1")
    world.stripe.set_expiry("tok_next", "2028-02")
    world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_next"))
    (two,) = world.gateway.credentials.list("cus_1")

    assert (one.last4, one.expires_on) == ("4242", dt.date(2030, 12, 31))
    assert (two.last4, two.expires_on) == ("4242", dt.date(2028, 2, 29))
    assert two.id != one.id
    assert {notice.notice.facts["card"] for notice in world.observer.of("notice")} == {"visa 4242"}


@pytest.mark.rule("R-402", "R-405")
def test_a_card_that_the_provider_does_not_know_is_not_put_in_the_place_of_one_that_works(world):
    contract = world.contract("stripe")
    world.stripe.remove_credential("tok_gone")

    with pytest.raises(InvalidValue, match="does not know this stored card"):
        world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_gone"))

    assert world.gateway.contracts.get(contract.id).credential == TOKEN


@pytest.mark.rule("R-405")
def test_refreshing_asks_once_a_while_about_each_card_of_a_living_contract(world):
    world.contract("stripe")
    world.contract("stripe")
    world.contract("telecom", customer="cus_2")
    ended = world.contract("stripe", customer="cus_3", plan=Plan.recurring("D", Money(300, "JPY"), Cycle.MONTHLY))
    world.gateway.contracts.delete(ended.id, confirm=ended.id, reason="mistake")

    first, second = world.gateway.credentials.refresh(), world.gateway.credentials.refresh()
    world.clock.advance(days=31)
    third = world.gateway.credentials.refresh()

    assert [one.asked for one in (first, second, third)] == [1, 0, 1]
    assert first.failed == ()


# --- revoking --------------------------------------------------------------------------------------------------------


def ended(world):
    contract = world.contract("stripe")
    world.gateway.contracts.schedule_cancellation(contract.id)
    at(world, "2026-02-16T03:00:00")
    world.gateway.billing.run()
    assert world.gateway.contracts.get(contract.id).status is Status.TERMINATED
    world.stripe.calls.clear()
    return contract


@pytest.mark.rule("R-405")
def test_a_card_that_no_living_contract_uses_is_revoked_for_good(world):
    ended(world)
    (one,) = world.gateway.credentials.list("cus_1")

    done = world.gateway.credentials.revoke("cus_1", one.id, reason="customer wrote", actor=Actor.customer("cus_1"))

    assert done.revoked
    assert [call.hook for call in world.stripe.calls] == ["revoke_card"]
    (record,) = [row for row in world.gateway.audit.list() if row.action == "revoke_card"]
    assert (record.after["customer"], record.reason) == ("cus_1", "customer wrote")
    assert "tok_" not in f"{record} {done}"
    assert world.gateway.credentials.list("cus_1", refresh=True)[0].revoked


@pytest.mark.rule("R-405")
def test_a_card_in_use_is_kept(world):
    old = ended(world)
    shared = world.contract("stripe", customer="cus_2", token=TOKEN)
    (one,) = world.gateway.credentials.list("cus_1")
    assert one.contract_ids == (old.id,)

    with pytest.raises(OperationNotAllowed, match=shared.id):
        world.gateway.credentials.revoke("cus_1", one.id)
    with pytest.raises(PermissionDenied):
        world.gateway.credentials.revoke("cus_1", one.id, actor=Actor.customer("cus_2"))
    world.gateway.contracts.change_payment(shared.id, Card("stripe", "tok_other"))
    world.stripe.calls.clear()

    assert world.gateway.credentials.revoke("cus_1", one.id).revoked


@pytest.mark.rule("R-405")
def test_a_card_with_an_open_charge_or_of_a_provider_without_a_way_is_kept(world):
    contract = world.contract("stripe")
    world.stripe.next(StayPending(600))
    world.charge(contract)
    world.gateway.contracts.schedule_cancellation(contract.id)
    at(world, "2026-02-16T03:00:00")
    world.gateway.contracts.get(contract.id)
    telecom = world.contract("telecom", customer="cus_2")
    (one,) = world.gateway.credentials.list("cus_1")
    (other,) = world.gateway.credentials.list("cus_2")

    with pytest.raises(OperationNotAllowed):
        world.gateway.credentials.revoke("cus_1", one.id)
    with pytest.raises(CapabilityNotSupported, match="own screen"):
        world.gateway.credentials.revoke("cus_2", other.id)
    assert telecom.account == "telecom"
    assert [call for call in world.stripe.calls if call.hook == "revoke_card"] == []


# --- cards that end --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-408")
def test_both_sides_are_told_thirty_days_before_once_for_each_contract(world):
    first, second = world.contract("stripe"), world.contract("stripe")
    known(world, "2026-04")

    for day in ("2026-03-30", "2026-03-31", "2026-04-01", "2026-04-29"):
        at(world, f"{day}T03:00:00")
        report = world.gateway.billing.run()
        if day == "2026-03-30":
            assert (report.expiring_cards, told(world)) == (0, [])
        elif day == "2026-03-31":
            assert report.expiring_cards == 2
        else:
            assert report.expiring_cards == 0

    assert sorted(told(world)) == sorted(
        (audience, contract.id, "2026-04-30", "visa 4242")
        for contract in (first, second)
        for audience in ("customer", "admin")
    )


@pytest.mark.rule("R-408")
def test_a_new_card_and_a_later_last_day_are_told_anew(world):
    contract = world.contract("stripe")
    at(world, "2026-02-05T03:00:00")
    known(world, "2026-02")
    world.gateway.billing.run()
    world.clock.advance(days=1)
    known(world, "2026-03")  # the bank has prolonged it
    at(world, "2026-03-05T03:00:00")
    world.gateway.billing.run()
    world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_new"))
    world.gateway.billing.run()

    assert [one[2] for one in told(world) if one[0] == "customer"] == ["2026-02-28", "2026-03-31"]


@pytest.mark.rule("R-408")
def test_contracts_that_end_before_or_pay_once_are_not_told_of(world):
    leaving = world.contract("stripe")
    world.gateway.contracts.schedule_cancellation(leaving.id)
    world.contract("stripe", plan=world.one_off)
    world.clock.advance(days=1)
    known(world, "2026-02")

    assert world.gateway.billing.run().expiring_cards == 0
    assert told(world) == []
    assert list(world.gateway.reports.expiring_cards()) == []


@pytest.mark.rule("R-408")
def test_it_can_be_switched_off_and_moved(world):
    world.contract("stripe")
    known(world, "2026-02")
    services = world.gateway._services
    for seconds, count in ((0, 0), (86_400, 0), (60 * 86_400, 1)):
        world.gateway._services = attrs.evolve(
            services, waiting=attrs.evolve(services.waiting, card_expiry_notice=seconds)
        )
        world.gateway.billing._services = world.gateway._services
        assert world.gateway.billing.run().expiring_cards == count


@pytest.mark.rule("R-408")
def test_cards_that_end_before_their_next_renewal_are_listed(faces):
    world = faces
    yearly = Plan.recurring("Year", Money(30_000, "JPY"), Cycle.ANNUAL)
    monthly = world.contract("stripe")
    annual = world.contract("stripe", plan=yearly, token="tok_year")
    for token, expires in ((TOKEN, "2026-02"), ("tok_year", "2026-10")):
        known(world, expires, token)

    rows = list(world.gateway.reports.expiring_cards(page_size=1))
    at(world, "2026-02-20T03:00:00")
    world.gateway.billing.run()
    later = list(world.gateway.reports.expiring_cards())

    # the monthly card still pays on 15 February
    assert [(one.contract_id, one.expires_on, one.renews_on) for one in rows] == [
        (annual.id, dt.date(2026, 10, 31), dt.date(2027, 1, 15))
    ]
    assert [one.contract_id for one in later] == [monthly.id, annual.id]
    assert [one.contract_id for one in world.gateway.reports.expiring_cards(until=dt.date(2026, 3, 1))] == [monthly.id]
    assert list(world.gateway.reports.expiring_cards(account="univapay")) == []


@pytest.mark.rule("R-408", "R-252")
def test_deleting_a_contract_forgets_what_was_told_of_it(world):
    contract = world.contract("stripe")
    known(world, "2026-01")
    assert world.gateway.billing.run().expiring_cards == 1

    world.gateway.contracts.delete(contract.id, confirm=contract.id, reason="mistake")

    again = world.contract("stripe")
    assert again.id == contract.id
    assert world.gateway.billing.run().expiring_cards == 1


# --- the old card ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-405")
def test_the_card_that_is_replaced_is_forgotten_if_that_is_wanted_and_nothing_else_needs_it(faces):
    world = faces
    first, second = world.contract("stripe"), world.contract("stripe")

    kept = world.gateway.contracts.change_payment(first.id, Card("stripe", "tok_a"), revoke_old=True)
    gone = world.gateway.contracts.change_payment(second.id, Card("stripe", "tok_a"), revoke_old=True)
    same = world.gateway.contracts.change_payment(second.id, Card("stripe", "tok_a"), revoke_old=True)
    plain = world.gateway.contracts.change_payment(first.id, Card("stripe", "tok_b"))

    assert (kept.changed, kept.revoked) == (True, False)
    assert second.id in kept.not_revoked
    assert (gone.revoked, gone.not_revoked) == (True, "")
    assert (same.changed, same.revoked, plain.revoked) == (False, None, None)
    revoked = [call.request.credential for call in world.stripe.calls if call.hook == "revoke_card"]
    assert revoked == [TOKEN]
    assert "tok_" not in repr((kept, gone))


@pytest.mark.rule("R-405")
def test_a_provider_that_forgets_nothing_leaves_the_change_in_place(world):
    contract = world.contract("stripe")
    account = world.gateway.providers.get("stripe")
    account.capabilities = attrs.evolve(account.capabilities, revokes_cards=False)

    done = world.gateway.contracts.change_payment(contract.id, Card("stripe", "tok_a"), revoke_old=True)

    assert (done.changed, done.revoked, done.contract.credential) == (True, False, "tok_a")
    assert "own screen" in done.not_revoked
