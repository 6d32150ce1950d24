"""キャンセル: a contract is undone (domain §6.9, §6.10)."""

import datetime as dt

import attrs
import pytest

from paygate.domain.cancelling import cancel, cancel_and_refund, cancel_with_manual_refund
from paygate.domain.charge import RefundState
from paygate.domain.contract import Actor, PaymentMethod, Plan, Product, ProductType, Status
from paygate.domain.followup import Audience, Next, NoticeKind, ProviderAction, Wanted
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.licences import LicenseState, issue
from paygate.domain.lifecycle import refusal
from paygate.domain.refunding import settle_refund
from paygate.errors import OperationNotAllowed, PermissionDenied, RefundFailed
from paygate.money import Money
from paygate.provider import Renewals

NOW = "2024-11-20 12:00:00"
CARD, BANK, MANUAL = PaymentMethod.CARD, PaymentMethod.BANK_TRANSFER, PaymentMethod.MANUAL
ITO = Actor.admin("ito")
CLUB = Plan.recurring("Club", Money(3000, "JPY"), initial_fee=Money(1000, "JPY"))
BOOK = Plan.one_off("Book", Money(8000, "JPY"), products=(Product("book", ProductType.BUYOUT),))


@pytest.fixture
def waiting(make_contract):
    """A recurring contract that starts on 2024-12-01."""

    def waiting(**given):
        facts = {"plan": CLUB, "status": Status.NOT_STARTED, "start_on": dt.date(2024, 12, 1), "period_start": None}
        return make_contract(**facts | given)

    return waiting


@pytest.fixture
def bought(make_contract):
    def bought(method=CARD, **given):
        facts = {"plan": BOOK, "status": Status.ESTABLISHED, "method": method, "expires_on": dt.date(2030, 12, 31)}
        return make_contract(**facts | given)

    return bought


@pytest.fixture
def sale(make_entry):
    def sale(contract, amount, row_id="row-1", kind=EntryKind.INITIAL_FEE, **given):
        more = {} if contract.is_card else {"account": None, "reference": None, "charge_id": None}
        return make_entry(id=row_id, kind=kind, amount=Money(amount, "JPY"), **more | given)

    return sale


@pytest.fixture
def do(rules, providers, at, new_id):
    """Carry one of the operations out, as Ito unless somebody else is given."""

    def do(operation, contract, *entries, now=NOW, provider="univapay", actor=ITO, **more):
        if operation is not cancel_with_manual_refund:
            more["capabilities"] = providers[provider] if contract.is_card else None
        return operation(contract, at(now), rules, new_id, actor=actor, entries=entries, **more)

    return do


# --- cancel ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-084", "R-085", "T-10")
@pytest.mark.parametrize("plan", [CLUB, BOOK])
@pytest.mark.parametrize("method", [BANK, MANUAL])
def test_what_is_not_paid_yet_is_cancelled_without_moving_money(make_contract, do, plan, method):
    contract = make_contract(status=Status.PENDING_PAYMENT, plan=plan, method=method, expires_on=None)

    done = do(cancel, contract)

    assert (done.contract.status, done.transition) == (Status.CANCELED, "T-10")
    assert (done.refunds, done.wanted, done.entries, done.changed) == ((), (), (), ())
    assert len(done.audit) == 1


@pytest.mark.rule("R-091", "R-267")
def test_the_customer_cancels_what_is_not_paid_and_nothing_else(make_contract, waiting, do):
    unpaid = make_contract(status=Status.PENDING_PAYMENT, method=BANK)

    assert do(cancel, unpaid, actor=Actor.customer("cus-1")).contract.status is Status.CANCELED
    for contract, actor in ((unpaid, Actor.customer("cus-2")), (waiting(), Actor.customer("cus-1"))):
        with pytest.raises(PermissionDenied):
            do(cancel, contract, actor=actor)


@pytest.mark.rule("R-086", "R-087", "T-20")
@pytest.mark.parametrize(
    "now", ["2024-11-20 12:00:00", pytest.param("2024-11-30 23:59:59", marks=pytest.mark.rule("R-090", "B-030"))]
)
def test_before_the_start_the_initial_fee_goes_back_to_the_card(waiting, sale, do, now):
    contract = waiting()

    done = do(cancel, contract, sale(contract, 1000), now=now)

    (refund,) = done.refunds
    assert (refund.refund.amount, refund.by_hand) == (Money(1000, "JPY"), False)
    assert (done.contract.status, done.transition) == (Status.CANCELED, "T-20")
    assert done.contract.expires_on is None


@pytest.mark.rule("R-090", "B-031")
@pytest.mark.parametrize("now", ["2024-12-01 00:00:00", "2024-11-30T15:00:00Z"])
def test_from_midnight_of_the_start_date_it_is_too_late(waiting, do, now):
    with pytest.raises(OperationNotAllowed):
        do(cancel, waiting(), now=now)


@pytest.mark.rule("R-088", "R-249")
@pytest.mark.parametrize(("method", "provider"), [(BANK, ""), (MANUAL, ""), (CARD, "telecom")])
def test_what_no_card_can_take_back_is_recorded_as_due_by_hand(waiting, sale, do, method, provider):
    contract = waiting(method=method)

    done = do(cancel, contract, sale(contract, 1000), provider=provider)

    (refund,) = done.refunds
    assert refund.by_hand
    assert (refund.refund_entry.kind, refund.refund_entry.amount) == (EntryKind.MANUAL_REFUND_DUE, Money(1000, "JPY"))
    assert [(notice.kind, notice.audience, notice.next) for notice in done.notices] == [
        (NoticeKind.CANCELED, Audience.CUSTOMER, Next.REFUND_BY_HAND),
        (NoticeKind.CANCELED, Audience.ADMIN, Next.REFUND_BY_HAND),
        (NoticeKind.MANUAL_REFUND_DUE, Audience.ADMIN, Next.RETURN_MONEY),
    ]


@pytest.mark.rule("R-089")
@pytest.mark.parametrize("fee", [None, 0])
def test_without_an_initial_fee_no_money_moves(waiting, sale, do, fee):
    contract = waiting()

    done = do(cancel, contract, *([] if fee is None else [sale(contract, fee)]))

    assert not done.refunds
    assert done.notices[0].next is Next.NOTHING


@pytest.mark.rule("R-092")
def test_a_provider_that_would_charge_the_start_is_told_to_stop(waiting, do, providers, rules, at, new_id):
    owner = attrs.evolve(providers["univapay"], renewals=Renewals.PROVIDER)

    done = cancel(waiting(), at(NOW), rules, new_id, actor=ITO, capabilities=owner)

    assert done.wanted == (Wanted("main", ProviderAction.STOP),)
    assert do(cancel, waiting()).wanted == (), "where paygate charges, there is nothing to stop"


# --- cancel with manual refund ---------------------------------------------------------------------------------------


@pytest.mark.rule("R-093", "R-094", "R-095", "R-096")
@pytest.mark.parametrize("method", [BANK, MANUAL])
@pytest.mark.parametrize(
    ("status", "row"),
    [
        pytest.param(Status.ESTABLISHED, "T-30", marks=pytest.mark.rule("T-30")),
        pytest.param(Status.NOT_STARTED, "T-22", marks=pytest.mark.rule("R-103", "T-22")),
    ],
)
def test_a_purchase_without_card_is_undone_and_its_money_noted(bought, sale, do, method, status, row):
    contract = bought(method, status=status)

    done = do(cancel_with_manual_refund, contract, sale(contract, 8000))

    (refund,) = done.refunds
    assert (done.contract.status, done.transition) == (Status.CANCELED, row)
    assert refund.by_hand
    assert refund.refund_entry.state is EntryState.PENDING
    assert refund.entry.state is EntryState.REFUND_PENDING
    assert not done.wanted


@pytest.mark.rule("R-102")
def test_each_way_of_payment_has_its_own_way_to_be_undone(bought, do):
    with pytest.raises(OperationNotAllowed):
        do(cancel_with_manual_refund, bought(CARD))
    with pytest.raises(OperationNotAllowed):
        do(cancel_and_refund, bought(BANK))


# --- cancel and refund -----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-097", "R-098", "R-099")
@pytest.mark.parametrize(
    ("status", "row"),
    [
        pytest.param(Status.ESTABLISHED, "T-31", marks=pytest.mark.rule("T-31")),
        pytest.param(Status.NOT_STARTED, "T-21", marks=pytest.mark.rule("R-103", "T-21")),
    ],
)
def test_a_purchase_by_card_is_undone_and_goes_back_to_the_card(bought, sale, do, status, row):
    contract = bought(status=status)

    done = do(cancel_and_refund, contract, sale(contract, 8000))

    assert [(one.refund.amount, one.by_hand) for one in done.refunds] == [(Money(8000, "JPY"), False)]
    assert (done.contract.status, done.transition, done.contract.expires_on) == (Status.CANCELED, row, None)
    assert [(notice.kind, notice.audience, notice.next, notice.facts["amount"]) for notice in done.notices] == [
        (NoticeKind.CANCELED, audience, Next.REFUND, Money(8000, "JPY")) for audience in Audience
    ]


@pytest.mark.rule("R-100")
@pytest.mark.parametrize(("asked", "rows"), [(False, ["row-1"]), (True, ["row-1", "row-0"])])
def test_additional_charges_go_back_only_on_request_and_after_the_purchase(bought, sale, do, asked, rows):
    contract = bought()
    addon = sale(contract, 500, "row-0", EntryKind.ADDON, charge_id="d" * 32)

    done = do(cancel_and_refund, contract, addon, sale(contract, 8000), include_addons=asked)

    assert [one.entry.id for one in done.refunds] == rows


@pytest.mark.rule("R-249")
def test_where_the_provider_returns_nothing_the_refund_is_due_by_hand(bought, sale, do):
    contract = bought()

    (refund,) = do(cancel_and_refund, contract, sale(contract, 8000), provider="telecom").refunds

    assert refund.refund_entry.kind is EntryKind.MANUAL_REFUND_DUE


@pytest.mark.rule("R-239")
def test_what_was_returned_before_is_not_returned_again(bought, sale, do):
    contract = bought()
    back = sale(contract, 3000, "row-2", EntryKind.REFUND, state=EntryState.DONE, refunds="row-1")

    (refund,) = do(cancel_and_refund, contract, sale(contract, 8000), back).refunds

    assert refund.refund.amount == Money(5000, "JPY")


@pytest.mark.rule("R-101", "R-271")
def test_decided_again_once_the_refund_is_accepted_the_customer_is_told_the_same(bought, sale, do):
    contract = bought()
    row = sale(contract, 8000)
    first = do(cancel_and_refund, contract, row)
    (decision,) = first.refunds

    again = do(cancel_and_refund, contract, decision.entry, decision.refund_entry)

    assert not again.refunds
    assert again.notices == first.notices
    assert again.contract == first.contract


@pytest.mark.rule("R-101", "T-32", "X-01")
def test_a_refused_refund_leaves_the_contract_and_one_record(bought, at, new_id):
    contract = bought()
    error = RefundFailed("main refused to return 8,000 JPY", provider="main", rule="R-101")

    record = refusal(contract, "cancel_and_refund", error, at=at(NOW), actor=ITO, new_id=new_id)

    assert record.after["transition"] == "T-32"
    assert "status" not in record.after
    assert (record.action, record.after["error"], record.after["rule"]) == (
        "cancel_and_refund_refused",
        "RefundFailed",
        "R-101",
    )


@pytest.mark.rule("R-101")
def test_a_refund_that_fails_late_alerts_and_leaves_the_contract_cancelled(bought, sale, do, at, new_id):
    contract = bought()
    done = do(cancel_and_refund, contract, sale(contract, 8000))
    (decision,) = done.refunds

    failed = settle_refund(
        decision.refund, decision.entry, decision.refund_entry, [], RefundState.FAILED, now=at(NOW), new_id=new_id
    )

    assert failed.alert
    assert (failed.entry.state, failed.refund_entry.state) == (EntryState.SUCCEEDED, EntryState.FAILED)
    assert done.contract.status is Status.CANCELED


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-081")
def test_an_undone_contract_keeps_no_licence(bought, sale, do, new_id):
    contract = bought()
    known = issue(contract, dt.date(2024, 10, 8), "row-1", (), new_id)

    done = do(cancel_and_refund, contract, sale(contract, 8000), licences=known)

    assert [licence.state for licence in done.licences] == [LicenseState.REMOVED]


@pytest.mark.rule("R-025", "R-266")
def test_undoing_leaves_one_record_with_who_why_and_both_states(bought, sale, do):
    contract = bought()

    (record,) = do(cancel_and_refund, contract, sale(contract, 8000), reason="ordered twice").audit

    assert (record.actor, record.action, record.reason) == (ITO, "cancel_and_refund", "ordered twice")
    assert (record.before["status"], record.after["status"]) == ("ESTABLISHED", "CANCELED")
    assert record.after["returned"] == "8,000 JPY"
