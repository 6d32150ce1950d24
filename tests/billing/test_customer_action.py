"""A charge that waits for the customer has a link, a deadline and an end; nothing of it is unknown (R-145, R-151)."""

from __future__ import annotations

import datetime as dt
import types

import attrs
import pytest

from paygate import JST, Card, ChargeState, Customer, Gateway, Money, Status
from paygate.billing.customer_action import asked
from paygate.billing.services import Waiting
from paygate.domain.followup import Next
from paygate.errors import (
    ChargeDeclined,
    ConfigurationError,
    OperationNotAllowed,
    OutcomeUnknown,
    ProviderUnavailable,
)
from paygate.provider import ChargeResult, DeclineClass
from paygate.testing import Decline, FakeStripe, RequireAction

LINK = "https://bank.example/confirm?id=1234567890123456"
RENEWAL = "2026-02-15T03:00:00"


def at(world, text):
    world.clock.set(dt.datetime.fromisoformat(text).replace(tzinfo=JST))


def notices(world, kind):
    return [n.notice for n in world.observer.of("notice") if n.notice.kind.value == kind]


def waiting(world):
    return world.gateway.reports.requires_action().all()


def renewal_that_waits(world, account="stripe"):
    contract = world.contract(account)
    world.fake(account).next(RequireAction(LINK))
    at(world, RENEWAL)
    report = world.gateway.billing.run()
    return contract, report


@pytest.mark.rule("R-335")
@pytest.mark.parametrize("account", ["stripe", "univapay"])
def test_a_renewal_that_needs_the_customer_mails_the_link_with_amount_and_deadline(world, account):
    contract, report = renewal_that_waits(world, account)

    (charge,) = waiting(world)
    assert (report.requires_action, report.unknown) == (1, 0)
    assert (charge.contract_id, charge.state, charge.action_url) == (contract.id, ChargeState.PENDING, LINK)
    assert charge.action_until == world.clock.now() + dt.timedelta(hours=72)
    told = notices(world, "action_required")
    assert {notice.audience.value for notice in told} == {"customer", "admin"}
    for notice in told:
        assert notice.facts["action_url"] == LINK
        assert notice.facts["amount"] == Money(3000, "JPY")
        assert notice.facts["due_on"] == dt.date(2026, 2, 18)


@pytest.mark.rule("R-335")
def test_until_the_deadline_it_is_looked_up_and_neither_unknown_nor_told_again(world):
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)

    for _ in range(6):
        world.clock.advance(hours=11)
        report = world.gateway.billing.reconcile()
        world.gateway.billing.run()

    assert (report.requires_action, report.still_open) == ((charge.id,), ())
    assert world.gateway.charges.get(charge.id).state is ChargeState.PENDING
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert len(notices(world, "action_required")) == 2
    assert world.observer.of("operator") == []


@pytest.mark.rule("R-335", "T-41")
def test_the_customer_who_confirms_in_time_is_renewed(world):
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)
    world.clock.advance(hours=20)
    world.stripe.finish(charge.reference)
    world.deliver("stripe")

    assert world.gateway.contracts.get(contract.id).expires_on == dt.date(2026, 3, 15)
    assert waiting(world) == []


@pytest.mark.rule("R-336", "R-145", "R-151", "R-333")
@pytest.mark.parametrize("account", ["stripe", "univapay"])
def test_after_the_deadline_the_charge_is_withdrawn_and_the_contract_past_due_with_mails(world, account):
    contract, _ = renewal_that_waits(world, account)
    (charge,) = waiting(world)
    world.clock.advance(hours=72)

    world.gateway.billing.reconcile()

    ended = world.gateway.charges.get(charge.id)
    assert (ended.state, ended.failure.code, ended.failure.decline) == (
        ChargeState.FAILED,
        "action_expired",
        DeclineClass.ACTION,
    )
    assert [call.hook for call in world.fake(account).calls].count("cancel_charge") == 1
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    assert {notice.next for notice in notices(world, "renewal_failed")} == {Next.NEW_CARD}
    assert [notice.code for notice in world.observer.of("operator")] == ["no_retry_left"]
    world.clock.advance(days=60)
    world.gateway.billing.run()
    assert [call.hook for call in world.fake(account).calls].count("charge") == 1


@pytest.mark.rule("R-336")
def test_the_customer_who_is_faster_than_the_withdrawal_is_renewed(world):
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)
    world.clock.advance(hours=73)
    world.stripe.finish(charge.reference)

    world.gateway.billing.reconcile()

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


@pytest.mark.rule("R-336", "R-194")
def test_where_nothing_can_be_withdrawn_a_late_success_is_found_booked_and_told(world, monkeypatch):
    monkeypatch.setattr(
        type(world.stripe), "capabilities", lambda self: without_withdrawal(self._capabilities), raising=True
    )
    world.reopen()
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)
    world.clock.advance(hours=73)
    world.gateway.billing.reconcile()
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    world.clock.advance(days=2)
    world.stripe.finish(charge.reference)

    world.gateway.billing.reconcile()

    assert world.gateway.charges.get(charge.id).state is ChargeState.SUCCEEDED
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE
    assert "late_success" in [notice.code for notice in world.observer.of("operator")]
    assert world.stripe.book.captured() == 6000


def without_withdrawal(declared):
    return attrs.evolve(declared, cancels_charges=False)


@pytest.mark.rule("R-336")
def test_a_provider_that_cannot_be_reached_at_the_deadline_leaves_it_open_and_is_asked_again(world, monkeypatch):
    answers = [ProviderUnavailable("closed for the night")]

    async def cancel_charge(self, request):
        if answers:
            raise answers.pop()
        return await FakeStripe.cancel_charge(self, request)

    monkeypatch.setattr(world.stripe, "cancel_charge", types.MethodType(cancel_charge, world.stripe))
    world.reopen()
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)
    world.clock.advance(hours=73)
    world.gateway.billing.reconcile()
    first = world.gateway.charges.get(charge.id).state
    still = world.gateway.contracts.get(contract.id).status

    world.gateway.billing.reconcile()

    assert answers == []
    assert (first.open, still) == (True, Status.ACTIVE)
    assert world.gateway.charges.get(charge.id).state is ChargeState.FAILED
    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE


@pytest.mark.rule("R-335", "R-336")
def test_an_additional_charge_waits_for_the_customer_and_ends_alike(world):
    contract = world.contract("stripe")
    world.stripe.next(RequireAction(LINK))

    charge = world.charge(contract)

    assert (charge.state, charge.action_url) == (ChargeState.PENDING, LINK)
    assert {n.facts["charge_id"] for n in notices(world, "action_required")} == {charge.id}
    world.clock.advance(hours=73)
    world.gateway.billing.reconcile()
    ended = world.gateway.charges.get(charge.id)
    assert ended.failure.code == "action_expired"
    with pytest.raises(ChargeDeclined, match="not confirmed"):
        ended.raise_for_failure()
    assert world.gateway.contracts.get(contract.id).status is Status.ACTIVE


@pytest.mark.rule("R-335", "R-336", "R-013")
def test_a_first_payment_waits_and_makes_no_contract_when_nobody_confirms_it(world):
    world.stripe.next(RequireAction(LINK))
    with pytest.raises(OutcomeUnknown, match="confirm"):
        world.gateway.contracts.create(
            Customer("cus_1", "花子", "h@example.com"), world.plan, Card("stripe", "tok_1"), contract_id="con_1"
        )
    (charge,) = waiting(world)
    world.clock.advance(days=1)
    world.gateway.billing.reconcile()
    assert world.gateway.charges.get(charge.id).state is ChargeState.PENDING
    world.clock.advance(days=3)
    world.gateway.billing.reconcile()

    assert world.gateway.charges.get(charge.id).failure.code == "action_expired"
    assert [one.id for one in world.gateway.contracts.list()] == []


@pytest.mark.rule("R-335")
def test_the_customer_who_fails_the_check_is_declined_at_once(world):
    contract, _ = renewal_that_waits(world)
    (charge,) = waiting(world)
    world.stripe.finish(charge.reference, Decline("authentication_required"))
    world.deliver("stripe")

    assert world.gateway.contracts.get(contract.id).status is Status.PAST_DUE
    assert {notice.next for notice in notices(world, "renewal_failed")} == {Next.CONFIRM}


@pytest.mark.rule("R-335", "R-151")
def test_a_providers_own_renewal_that_needs_the_customer_hands_the_link_on(world):
    contract = world.contract("stripe")
    notice = world.stripe.renew(
        contract.id,
        "tok",
        Money(3000, "JPY"),
        Decline("authentication_required"),
        period_on=dt.date(2026, 2, 15),
        attempt=1,
        retries=False,
        action_url=LINK,
    )
    at(world, RENEWAL)

    world.gateway.webhooks.receive("stripe", notice.headers, notice.body)

    told = notices(world, "renewal_failed")
    assert {(n.audience.value, n.next, n.facts["action_url"]) for n in told} == {
        ("customer", Next.CONFIRM, LINK),
        ("admin", Next.CONFIRM, LINK),
    }


@pytest.mark.rule("R-335")
def test_the_shop_says_how_long_a_customer_may_take_and_a_provider_that_says_so_outranks_it(world):
    world.options["waiting"] = Waiting(action=3600)
    world.reopen()
    contract = world.contract("stripe")
    world.stripe.next(RequireAction(LINK))
    charge = world.charge(contract)
    assert charge.action_until == charge.created_at + dt.timedelta(hours=1)
    world.clock.advance(minutes=59)
    world.gateway.billing.reconcile()
    before = world.gateway.charges.get(charge.id).state
    world.clock.advance(minutes=1)
    world.gateway.billing.reconcile()

    assert (before, world.gateway.charges.get(charge.id).state) == (ChargeState.PENDING, ChargeState.FAILED)

    told = ChargeResult.pending("pi_9", action_url=LINK, action_until=world.clock.now() + dt.timedelta(minutes=5))
    monday = attrs.evolve(charge, action_until=None, action_url=None)
    with world.gateway._services.store.write() as session:
        waiting = asked(world.gateway._services, session, monday, None, told, world.clock.now())
    assert waiting.action_until == told.action_until


# --- pages that want a form -----------------------------------------------------------------------------------------

FORM = RequireAction("https://bank.example/start", method="POST", fields={"PaReq": "eJxVUt1ugjAU", "TermUrl": "x"})
PAGE = "https://shop.example/confirm/{charge_id}"


def with_page(world, page):
    world.gateway.close()
    world.options["action_page"] = page
    world.gateway = Gateway(**world.options)


def renewal_by_form(world, outcome=FORM):
    contract = world.contract("stripe")
    world.stripe.next(outcome)
    at(world, RENEWAL)
    world.gateway.billing.run()
    (charge,) = waiting(world)
    return contract, charge


@pytest.mark.rule("R-342", "R-335")
def test_where_a_form_has_to_be_posted_the_shops_own_page_is_mailed_and_told_what_to_post(world):
    with_page(world, PAGE)
    _, charge = renewal_by_form(world)
    action = world.gateway.charges.action(charge.id)

    assert {notice.facts["action_url"] for notice in notices(world, "action_required")} == {
        PAGE.format(charge_id=charge.id)
    }
    assert (action.url, action.method, action.fields) == (FORM.url, "POST", FORM.fields)
    assert (action.until, action.link) == (charge.action_until, PAGE.format(charge_id=charge.id))
    assert "eJxVUt1ugjAU" not in repr(charge) + repr(action)
    world.stripe.finish(charge.reference)
    world.gateway.billing.reconcile()
    with pytest.raises(OperationNotAllowed, match="wait for the customer"):
        world.gateway.charges.action(charge.id)
    assert world.gateway.charges.get(charge.id).action_fields == ()


@pytest.mark.rule("R-342")
@pytest.mark.parametrize(
    ("outcome", "page", "remedy"),
    [(FORM, "", "set action_page"), (attrs.evolve(FORM, method="SDK"), PAGE, "another way to pay")],
    ids=["no page", "no way"],
)
def test_a_link_that_leads_nowhere_is_not_mailed_and_the_operator_hears_of_it_at_once(world, outcome, page, remedy):
    with_page(world, page)
    contract, charge = renewal_by_form(world, outcome)
    for _ in range(3):
        world.gateway.billing.reconcile()

    assert notices(world, "action_required") == []
    (notice,) = [one for one in world.observer.of("operator") if one.code == "action_without_link"]
    assert (notice.contract_id, notice.charge_id) == (contract.id, charge.id)
    assert remedy in notice.message
    assert world.gateway.charges.action(charge.id).link is None


@pytest.mark.rule("R-342", "R-335")
def test_a_plain_link_is_mailed_as_it_is_whatever_page_the_shop_has(world):
    with_page(world, PAGE)
    _, charge = renewal_by_form(world, RequireAction(LINK))

    assert {notice.facts["action_url"] for notice in notices(world, "action_required")} == {LINK}
    action = world.gateway.charges.action(charge.id)
    assert (action.url, action.method, action.fields, action.link) == (LINK, "GET", {}, LINK)


@pytest.mark.rule("R-342")
@pytest.mark.parametrize("page", ["https://shop.example/confirm", "http://shop.example/{charge_id}", 7, "{charge_id}"])
def test_a_page_that_cannot_be_one_is_refused(page):
    with pytest.raises(ConfigurationError, match="action_page"):
        Gateway(database="sqlite://", providers={}, action_page=page)
