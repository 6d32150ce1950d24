import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.clock import UTC
from paygate.domain.charge import Failure, RefundState
from paygate.domain.contract import Actor, Contract, PaymentMethod, Plan, Status
from paygate.domain.ledger import EntryKind, EntryState, LedgerEntry, net_sales, refundable
from paygate.domain.licences import License, LicenseState
from paygate.domain.refunding import decide_refund, mark_manual_refund_done, settle_refund, state_after
from paygate.errors import (
    CapabilityNotSupported,
    InvalidAmount,
    InvalidValue,
    LicenseRemovalTooLate,
    NothingToRefund,
    PermissionDenied,
    RefundExceedsSale,
)
from paygate.money import Money
from paygate.provider import Capabilities, RefundPolicy

NOW = "2024-11-20 12:00:00"
LICENCE = License("lic-1", "con-1", "mag", "2024-11", "row-1", dt.date(2024, 11, 8))
OTHER = attrs.evolve(LICENCE, id="lic-2", scope="2024-10", entry_id="row-0")


def yen(amount: int) -> Money:
    return Money(amount, "JPY")


@pytest.fixture
def decide(make_contract, make_entry, providers, at):
    def decide(amount=None, provider="univapay", *, entry=None, refunds=(), contract=None, actor=None, **more):
        return decide_refund(
            contract or make_contract(),
            entry or make_entry(),
            refunds,
            amount,
            providers.get(provider),
            actor=actor or Actor.admin("ito"),
            now=at(NOW),
            refund_id="ref-1",
            entry_id="row-9",
            audit_id="aud-1",
            idempotency_key="rma-1",
            fingerprint="f",
            **more,
        )

    return decide


@pytest.fixture
def settle(new_id, at):
    def settle(decision, state=RefundState.DONE, *, now="2024-11-20 12:05:00", refunds=(), **more):
        return settle_refund(
            decision.refund, decision.entry, decision.refund_entry, refunds, state, now=at(now), new_id=new_id, **more
        )

    return settle


@pytest.mark.rule("R-238", "R-241", "R-247")
def test_by_default_the_whole_row_is_refunded_by_a_row_that_points_to_it(decide):
    decision = decide()

    assert decision.refund.amount == decision.refund_entry.amount == yen(3000)
    assert decision.entry.state is EntryState.REFUND_PENDING
    assert decision.refund_entry.refunds == decision.entry.id == decision.refund.entry_id
    assert decision.refund.refund_entry_id == decision.refund_entry.id == "row-9"
    assert (decision.refund_entry.kind, decision.refund_entry.state) == (EntryKind.REFUND, EntryState.PENDING)
    assert not decision.by_hand


@pytest.mark.rule("R-235")
def test_the_refunded_row_keeps_amount_and_dates(decide, make_entry):
    assert decide(yen(1)).entry == attrs.evolve(make_entry(), state=EntryState.REFUND_PENDING)


@pytest.mark.rule("R-241")
@pytest.mark.parametrize("provider", ["univapay", "stripe", "amazonpay"])
def test_a_part_is_refunded_where_the_provider_can(decide, provider):
    assert decide(yen(1000), provider).refund.amount == yen(1000)


@pytest.mark.rule("R-241")
def test_a_provider_that_returns_whole_charges_refuses_a_part(decide):
    decide(provider="full-refunds")
    decide(yen(3000), "full-refunds")
    with pytest.raises(CapabilityNotSupported):
        decide(yen(2999), "full-refunds")


@pytest.mark.rule("R-241")
def test_a_row_that_is_only_part_of_a_charge_is_a_part_as_well(decide):
    decide(provider="univapay", charged=yen(3500))
    with pytest.raises(CapabilityNotSupported, match="3,500 JPY, not 3,000 JPY"):
        decide(provider="full-refunds", charged=yen(3500))


@pytest.mark.rule("R-239", "R-241")
def test_several_parts_are_refunded_up_to_what_is_left(decide, make_entry):
    taken = make_entry(id="row-8", kind=EntryKind.REFUND, refunds="row-1", amount=yen(1000), state=EntryState.PENDING)

    assert decide(refunds=[taken]).refund.amount == yen(2000)
    assert decide(yen(2000), refunds=[taken]).refund.amount == yen(2000)
    with pytest.raises(RefundExceedsSale, match="2,000 JPY is left"):
        decide(yen(2001), refunds=[taken])


@pytest.mark.rule("R-239", "R-247")
def test_a_failed_refund_takes_nothing_from_the_row(decide, make_entry):
    failed = make_entry(id="row-8", kind=EntryKind.REFUND, refunds="row-1", state=EntryState.FAILED)

    assert decide(refunds=[failed]).refund.amount == yen(3000)


@pytest.mark.rule("R-004", "R-241")
@pytest.mark.parametrize("amount", [yen(0), Money(100, "USD"), 1000, "1000", True])
def test_an_amount_that_is_nothing_or_not_money_is_refused(decide, amount):
    with pytest.raises(InvalidAmount):
        decide(amount)


@pytest.mark.rule("R-241")
@pytest.mark.parametrize("state", [EntryState.UNPAID, EntryState.VOID, EntryState.REFUNDED])
def test_a_row_that_was_never_paid_or_is_refunded_has_nothing_left(decide, make_entry, state):
    with pytest.raises(NothingToRefund):
        decide(entry=make_entry(state=state))


@pytest.mark.rule("R-241")
@pytest.mark.parametrize("kind", [EntryKind.REFUND, EntryKind.MANUAL_REFUND_DUE])
def test_a_refund_is_not_refunded(decide, make_entry, kind):
    with pytest.raises(NothingToRefund):
        decide(entry=make_entry(kind=kind))


@pytest.mark.rule("R-017", "R-241")
def test_a_zero_row_has_nothing_to_refund(decide, make_entry):
    with pytest.raises(NothingToRefund):
        decide(entry=make_entry(amount=yen(0)))


@pytest.mark.rule("R-244", "R-246", "T-80", "T-92")
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PENDING_PAYMENT])
def test_a_refund_is_possible_in_every_paid_status(decide, make_contract, status):
    decision = decide(contract=make_contract(status=status))

    assert "status" not in decision.audit.after


@pytest.mark.rule("R-267")
@pytest.mark.parametrize("actor", [Actor.scheduler(), Actor.provider("main")])
def test_nobody_but_people_start_refunds(decide, actor):
    with pytest.raises(PermissionDenied):
        decide(actor=actor)


@pytest.mark.rule("R-249")
def test_a_provider_without_refunds_leaves_it_to_be_done_by_hand(decide):
    decision = decide(provider="telecom")

    assert decision.by_hand
    assert decision.refund_entry.kind is EntryKind.MANUAL_REFUND_DUE


@pytest.mark.rule("R-245")
def test_a_bank_transfer_row_loses_its_licence_at_once_and_the_money_goes_by_hand(decide, make_contract, make_entry):
    decision = decide(
        provider="none",
        contract=make_contract(method=PaymentMethod.BANK_TRANSFER),
        entry=make_entry(account=None, reference=None, charge_id=None),
        remove_license=True,
        licences=[LICENCE, OTHER],
    )

    assert decision.by_hand
    assert decision.licences == (attrs.evolve(LICENCE, state=LicenseState.REMOVED),)


@pytest.mark.rule("R-249")
def test_a_row_without_the_providers_reference_is_refunded_by_hand(decide, make_entry):
    assert decide(entry=make_entry(reference=None)).by_hand


@pytest.mark.rule("R-083", "R-242")
@pytest.mark.parametrize("removed", [True, False])
def test_the_licence_goes_with_the_refund_only_if_that_was_chosen(decide, settle, removed):
    decision = decide(remove_license=removed, licences=[LICENCE, OTHER])
    done = settle(decision, licences=[LICENCE, OTHER])

    assert not decision.licences
    assert done.licences == ((attrs.evolve(LICENCE, state=LicenseState.REMOVED),) if removed else ())


@pytest.mark.rule("R-242", "R-247")
def test_the_licence_stays_if_the_refund_fails(decide, settle):
    assert not settle(decide(remove_license=True), RefundState.FAILED, licences=[LICENCE]).licences


@pytest.mark.rule("R-243")
def test_after_a_refund_only_the_licence_can_no_longer_be_removed(decide, make_entry):
    done = make_entry(id="row-8", kind=EntryKind.REFUND, refunds="row-1", state=EntryState.DONE)
    sold = make_entry(state=EntryState.REFUNDED)
    gone = attrs.evolve(LICENCE, state=LicenseState.REMOVED)

    with pytest.raises(LicenseRemovalTooLate):
        decide(entry=sold, refunds=[done], remove_license=True, licences=[LICENCE])
    with pytest.raises(NothingToRefund):
        decide(entry=sold, refunds=[done], remove_license=True, licences=[gone])
    with pytest.raises(NothingToRefund):
        decide(entry=sold, refunds=[done], licences=[LICENCE])


@pytest.mark.rule("R-238", "R-247")
def test_a_refund_that_is_done_marks_both_rows_with_its_time(decide, settle, at):
    done = settle(decide(remove_license=True), reference="re_1", refunded_at=at("2024-11-20 12:04:30"))

    assert (done.refund.state, done.refund.reference) == (RefundState.DONE, "re_1")
    assert (done.entry.state, done.refund_entry.state) == (EntryState.REFUNDED, EntryState.DONE)
    assert done.refund_entry.done_on == dt.date(2024, 11, 20)
    for row in (done.entry, done.refund_entry):
        assert row.remarks == "refunded 3,000 JPY at 2024-11-20 12:04:30, licence removed"
    assert not done.alert


@pytest.mark.rule("R-238")
def test_remarks_are_added_to_what_was_there(decide, settle, make_entry):
    done = settle(decide(yen(1000), entry=make_entry(remarks="first month"), reason="late"))

    assert done.entry.remarks == "first month; refunded 1,000 JPY at 2024-11-20 12:05:00"
    assert done.refund_entry.remarks == "late; refunded 1,000 JPY at 2024-11-20 12:05:00"


@pytest.mark.rule("R-247")
def test_a_part_that_is_back_leaves_the_rest_of_the_sale_and_says_so(decide, settle):
    assert settle(decide(yen(1000))).entry.state is EntryState.PARTLY_REFUNDED


@pytest.mark.rule("R-247", "R-248")
def test_a_failed_refund_restores_the_row_and_alerts(decide, settle):
    failed = settle(decide(), RefundState.FAILED, failure=Failure("BALANCE", "too little"))

    assert (failed.entry.state, failed.refund_entry.state) == (EntryState.SUCCEEDED, EntryState.FAILED)
    assert failed.refund.failure.code == "BALANCE"
    assert failed.alert
    assert refundable(failed.entry, [failed.refund_entry]) == 3000


@pytest.mark.rule("R-101", "R-247")
def test_a_refund_that_fails_late_is_taken_back_with_an_alert(decide, settle):
    done = settle(decide())

    late = settle(done, RefundState.FAILED)

    assert (late.refund.state, late.entry.state, late.alert) == (RefundState.FAILED, EntryState.SUCCEEDED, True)
    assert late.refund_entry.done_on is None


@pytest.mark.rule("R-194")
@pytest.mark.parametrize("again", [RefundState.DONE, RefundState.PENDING, RefundState.UNKNOWN])
def test_a_result_that_repeats_or_knows_less_changes_nothing(decide, settle, again):
    done = settle(decide())

    repeated = settle(done, again)

    assert (repeated.refund, repeated.entry, repeated.refund_entry) == (done.refund, done.entry, done.refund_entry)
    assert repeated.audit is None
    assert not repeated.alert


@pytest.mark.rule("R-193", "R-247")
def test_an_unknown_refund_keeps_its_money_taken_until_it_is_known(decide, settle):
    lost = settle(decide(), RefundState.UNKNOWN)

    assert (lost.refund.state, lost.refund.settled_at) == (RefundState.UNKNOWN, None)
    assert (lost.entry.state, lost.refund_entry.state) == (EntryState.REFUND_PENDING, EntryState.PENDING)
    assert refundable(lost.entry, [lost.refund_entry]) == 0
    assert settle(lost).entry.state is EntryState.REFUNDED


@pytest.mark.rule("R-247")
def test_the_row_stays_pending_while_another_part_is_under_way(decide, settle, make_entry):
    other = make_entry(id="row-8", kind=EntryKind.REFUND, refunds="row-1", amount=yen(500), state=EntryState.PENDING)

    assert settle(decide(yen(1000), refunds=[other]), refunds=[other]).entry.state is EntryState.REFUND_PENDING


@pytest.mark.rule("R-246", "R-266")
def test_a_refund_and_its_result_are_audited(decide, settle):
    decision = decide(reason="goodwill")
    done = settle(decision)

    assert (decision.audit.action, decision.audit.actor, decision.audit.reason) == (
        "refund_entry",
        Actor.admin("ito"),
        "goodwill",
    )
    assert (done.audit.action, done.audit.actor) == ("refund_result", Actor.provider("main"))
    assert done.audit.after["entry_state"] == "REFUNDED"


@pytest.mark.rule("R-088", "R-096", "R-250", "T-90")
def test_a_manual_refund_is_marked_as_done_with_date_and_note(decide, new_id, at):
    decision = decide(provider="telecom")

    row, record = mark_manual_refund_done(
        decision.refund_entry,
        dt.date(2024, 11, 19),
        "bank, no. 12",
        actor=Actor.admin("ito"),
        now=at(NOW),
        new_id=new_id,
    )

    assert (row.state, row.done_on, row.remarks) == (EntryState.DONE, dt.date(2024, 11, 19), "bank, no. 12")
    assert state_after(decision.entry, [row]) is EntryState.REFUNDED
    assert (record.before["state"], record.after["state"]) == ("PENDING", "DONE")


@pytest.mark.rule("R-250")
@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (EntryKind.MANUAL_REFUND_DUE, EntryState.DONE),
        (EntryKind.REFUND, EntryState.PENDING),
        (EntryKind.PERIOD, EntryState.SUCCEEDED),
    ],
)
def test_only_an_open_manual_refund_is_marked_as_done(make_entry, new_id, at, kind, state):
    with pytest.raises(NothingToRefund):
        mark_manual_refund_done(
            make_entry(kind=kind, state=state), dt.date(2024, 11, 19), actor=Actor.admin(), now=at(NOW), new_id=new_id
        )


@pytest.mark.rule("R-250", "R-267")
def test_a_manual_refund_is_done_by_an_administrator_up_to_today(decide, new_id, at):
    row = decide(provider="telecom").refund_entry

    mark_manual_refund_done(row, dt.date(2024, 11, 20), actor=Actor.admin(), now=at(NOW), new_id=new_id)
    for day in (dt.date(2024, 11, 21), "2024-11-20", at(NOW)):
        with pytest.raises(InvalidValue):
            mark_manual_refund_done(row, day, actor=Actor.admin(), now=at(NOW), new_id=new_id)
    with pytest.raises(PermissionDenied):
        mark_manual_refund_done(row, dt.date(2024, 11, 20), actor=Actor.customer("cus-1"), now=at(NOW), new_id=new_id)


@pytest.mark.rule("R-240")
@pytest.mark.parametrize(
    ("kind", "state", "counts"),
    [
        *[(EntryKind.PERIOD, state, 3000 if state in {EntryState.SUCCEEDED, EntryState.REFUND_PENDING, EntryState.PARTLY_REFUNDED, EntryState.REFUNDED} else 0) for state in EntryState],
        *[(EntryKind.DISPUTE, state, -3000 if state is EntryState.LOST else 0) for state in EntryState],
        *[(EntryKind.REFUND, state, -3000 if state is EntryState.DONE else 0) for state in EntryState],
        *[(EntryKind.MANUAL_REFUND_DUE, state, -3000 if state is EntryState.DONE else 0) for state in EntryState],
    ],
)  # fmt: skip
def test_net_sales_are_paid_rows_less_refunds_that_are_done(make_entry, kind, state, counts):
    assert net_sales([make_entry(kind=kind, state=state)]) == counts


AT = dt.datetime(2024, 11, 20, 3, tzinfo=UTC)
SALE = LedgerEntry(
    "row-1", "con-1", "cus-1", EntryKind.ADDON, yen(3000), EntryState.SUCCEEDED, AT.date(), AT.date(), AT,
    Actor.admin(), account="main", reference="ch_1",
)  # fmt: skip
CONTRACT = Contract(
    "con-1", "cus-1", Plan.one_off("Book", yen(8000)), PaymentMethod.CARD, Status.ESTABLISHED, AT.date(), AT, Actor.admin()
)  # fmt: skip


@pytest.mark.rule("R-239", "R-240", "R-247")
@given(
    st.lists(st.tuples(st.integers(1, 4000), st.lists(st.sampled_from(RefundState), max_size=3)), max_size=8),
    st.sampled_from([RefundPolicy.PARTIAL, RefundPolicy.BY_HAND]),
)
def test_whatever_is_asked_and_answered_refunds_never_exceed_the_sale(story, policy):
    sale, rows = SALE, []
    for number, (minor, answers) in enumerate(story):
        try:
            step = decide_refund(
                CONTRACT, sale, rows, yen(minor), Capabilities("Any", refunds=policy), actor=Actor.admin(), now=AT,
                refund_id=f"r{number}", entry_id=f"e{number}", audit_id="a", idempotency_key="k", fingerprint="f",
            )  # fmt: skip
        except (NothingToRefund, RefundExceedsSale):
            continue
        rows = [*rows, step.refund_entry]
        sale = step.entry
        for answer in answers:
            if step.refund.state in {RefundState.DONE, RefundState.FAILED}:
                continue  # one final answer each: a late change of mind is the provider's to keep within the sale
            step = settle_refund(step.refund, sale, step.refund_entry, rows, answer, now=AT, new_id=lambda: "a")
            sale = step.entry
            rows = [row for row in rows if row.id != step.refund_entry.id] + [step.refund_entry]

        taken = sum(row.amount.minor for row in rows if row.state is not EntryState.FAILED)
        assert taken <= sale.amount.minor
        assert 0 <= net_sales([sale, *rows]) <= sale.amount.minor
        assert (sale.state is EntryState.REFUNDED) == (
            sum(row.amount.minor for row in rows if row.state is EntryState.DONE) == sale.amount.minor
        )
