"""削除: everything of a contract is removed (domain §6.23)."""

import datetime as dt
import json

import attrs
import pytest

from paygate.domain.charge import Failure, RefundState
from paygate.domain.contract import Actor, PaymentMethod, Plan, Status
from paygate.domain.deleting import Kept, confirm_deletion, deletion_warning, plan_deletion, tombstone
from paygate.domain.followup import ProviderAction, Wanted
from paygate.domain.ledger import EntryKind, EntryState
from paygate.errors import DeleteNotConfirmed, PendingMoney, PermissionDenied
from paygate.money import Money
from paygate.provider import Renewals

NOW = "2024-11-20 12:00:00"
ITO = Actor.admin("ito")
BANK = PaymentMethod.BANK_TRANSFER


def yen(amount):
    return Money(amount, "JPY")


@pytest.fixture
def plan_it(rules, providers, at, new_id):
    def plan_it(contract, *entries, provider="univapay", actor=ITO, **more):
        known = providers[provider] if contract.is_card else None
        return plan_deletion(
            contract, at(NOW), rules, new_id, actor=actor, entries=entries, **{"capabilities": known} | more
        )

    return plan_it


@pytest.fixture
def payments(make_entry):
    """An initial fee, two periods and an additional charge."""
    return tuple(
        make_entry(id=row_id, kind=kind, amount=yen(amount), charge_id=row_id * 8)
        for row_id, kind, amount in (
            ("fee1", EntryKind.INITIAL_FEE, 1000),
            ("per1", EntryKind.PERIOD, 3000),
            ("per2", EntryKind.PERIOD, 3000),
            ("add1", EntryKind.ADDON, 500),
        )
    )


@pytest.fixture
def back(make_entry):
    def back(entry, amount, kind=EntryKind.REFUND, state=EntryState.DONE):
        return make_entry(id=f"back-{entry.id}", kind=kind, amount=yen(amount), state=state, refunds=entry.id)

    return back


# --- what is refunded ------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-254", "R-255")
def test_every_payment_by_card_is_to_be_refunded(make_contract, plan_it, payments):
    deletion = plan_it(make_contract(), *payments)

    assert [(one.entry.id, one.refund.amount.minor, one.by_hand) for one in deletion.refunds] == [
        ("fee1", 1000, False),
        ("per1", 3000, False),
        ("per2", 3000, False),
        ("add1", 500, False),
    ]
    assert (deletion.skipped, deletion.by_hand) == ((), yen(0))


@pytest.mark.rule("R-256")
@pytest.mark.parametrize(
    ("received", "refunded"),
    [
        pytest.param("2018-08-04 23:59:59", False, marks=pytest.mark.rule("B-130")),
        pytest.param("2018-08-05 00:00:00", True, marks=pytest.mark.rule("B-131")),
        pytest.param("2018-08-04T14:59:59Z", False, marks=pytest.mark.rule("B-132")),
        pytest.param("2018-08-04T15:00:00Z", True, marks=pytest.mark.rule("B-132")),
    ],
)
def test_payments_up_to_the_cut_off_stay(make_contract, plan_it, make_entry, at, received, refunded):
    deletion = plan_it(make_contract(), make_entry(received_at=at(received)))

    assert bool(deletion.refunds) is refunded
    assert [kept.why for kept in deletion.skipped] == ([] if refunded else [Kept.CUT_OFF])
    assert deletion.by_hand == yen(0)


@pytest.mark.rule("R-257")
@pytest.mark.parametrize(("cut_off", "refunded"), [(None, True), (dt.date(2024, 11, 8), False), (dt.date(2024, 11, 7), True)])  # fmt: skip
def test_the_cut_off_is_a_setting(make_contract, plan_it, make_entry, cut_off, refunded):
    assert bool(plan_it(make_contract(), make_entry(), cut_off=cut_off).refunds) is refunded


@pytest.mark.rule("R-259", "B-134")
def test_what_was_refunded_is_skipped_and_what_is_left_is_refunded(make_contract, plan_it, payments, back):
    fee, first, second, _ = payments
    whole = attrs.evolve(first, state=EntryState.REFUNDED)

    deletion = plan_it(make_contract(), fee, whole, second, back(whole, 3000), back(second, 1000))

    assert [(one.entry.id, one.refund.amount.minor) for one in deletion.refunds] == [("fee1", 1000), ("per2", 2000)]
    assert [(kept.entry_id, kept.why) for kept in deletion.skipped] == [("per1", Kept.REFUNDED)]


@pytest.mark.rule("R-140")
@pytest.mark.parametrize("state", [EntryState.UNPAID, EntryState.VOID])
def test_what_was_never_paid_is_not_returned(make_contract, plan_it, make_entry, state):
    deletion = plan_it(make_contract(), make_entry(state=state), make_entry(id="free", amount=yen(0)))

    assert (deletion.refunds, deletion.skipped) == ((), ())


@pytest.mark.rule("R-260", "B-135")
@pytest.mark.parametrize("method", [BANK, PaymentMethod.MANUAL])
def test_without_a_card_the_sum_is_reported_and_nothing_is_refunded(make_contract, plan_it, make_entry, method):
    offline = {"account": None, "reference": None, "charge_id": None}
    paid = make_entry(**offline)
    assumed = make_entry(id="row-2", state=EntryState.ASSUMED, **offline)
    unpaid = make_entry(id="row-3", state=EntryState.UNPAID, **offline)

    deletion = plan_it(make_contract(method=method), paid, assumed, unpaid)

    assert (deletion.refunds, deletion.wanted, deletion.by_hand) == ((), (), yen(6000))


@pytest.mark.rule("R-249")
def test_where_the_provider_returns_nothing_the_sum_is_reported(make_contract, plan_it, payments):
    deletion = plan_it(make_contract(), *payments, provider="telecom")

    assert (deletion.refunds, deletion.by_hand) == ((), yen(7500))


@pytest.mark.rule("R-241")
def test_a_part_of_a_charge_is_left_to_the_seller_where_only_whole_ones_go_back(make_contract, plan_it, payments):
    together = [attrs.evolve(row, charge_id="one") for row in payments[:2]]

    deletion = plan_it(make_contract(), *together, payments[2], provider="full-refunds")

    assert [one.entry.id for one in deletion.refunds] == ["per2"]
    assert deletion.by_hand == yen(4000)


@pytest.mark.rule("R-096", "R-260")
def test_manual_refunds_that_nobody_has_done_are_in_the_sum(make_contract, plan_it, make_entry, back):
    offline = {"account": None, "reference": None, "charge_id": None}
    row = make_entry(state=EntryState.REFUND_PENDING, **offline)
    due = back(row, 3000, EntryKind.MANUAL_REFUND_DUE, EntryState.PENDING)

    assert plan_it(make_contract(method=BANK, status=Status.CANCELED), row, due).by_hand == yen(3000)


# --- when it is allowed ----------------------------------------------------------------------------------------------


@pytest.mark.rule("R-251", "R-252", "T-93")
@pytest.mark.parametrize("status", Status)
def test_a_contract_can_be_deleted_in_every_status(make_contract, plan_it, book, gold, at, new_id, status):
    contract = make_contract(status=status, plan=book if status is Status.ESTABLISHED else gold)

    deletion = plan_it(contract)
    record = tombstone(deletion, (), at(NOW), new_id, actor=ITO, reason="by mistake")

    assert record.after["transition"] == "T-93"


@pytest.mark.rule("R-265", "B-136")
def test_nothing_is_deleted_while_money_is_on_its_way(make_contract, plan_it, payments, back):
    pending = back(payments[0], 1000, state=EntryState.PENDING)

    with pytest.raises(PendingMoney, match="cccc"):
        plan_it(make_contract(), *payments, open_charges=["cccc"])
    with pytest.raises(PendingMoney, match="back-fee1"):
        plan_it(make_contract(), *payments, pending)


@pytest.mark.rule("R-264")
def test_a_provider_that_renews_is_told_to_stop_first(make_contract, plan_it, providers):
    owner = attrs.evolve(providers["univapay"], renewals=Renewals.PROVIDER)

    assert plan_it(make_contract(), capabilities=owner).wanted == (Wanted("main", ProviderAction.STOP),)


@pytest.mark.rule("R-267")
@pytest.mark.parametrize("actor", [Actor.customer("cus-1"), Actor.provider("main"), Actor.scheduler()])
def test_only_an_administrator_deletes(make_contract, plan_it, actor):
    with pytest.raises(PermissionDenied):
        plan_it(make_contract(), actor=actor)


@pytest.mark.rule("R-261", "R-262", "X-19")
@pytest.mark.parametrize(("typed", "reason"), [("", "mistake"), ("con-2", "mistake"), ("con-1", ""), ("con-1", "  ")])
def test_the_confirmation_names_the_contract_and_gives_a_reason(make_contract, typed, reason):
    with pytest.raises(DeleteNotConfirmed) as refused:
        confirm_deletion(make_contract(), typed, reason)

    assert deletion_warning(make_contract()) in str(refused.value)
    assert confirm_deletion(make_contract(), "con-1", "ordered twice by mistake") is None


@pytest.mark.rule("R-261", "R-262")
def test_the_warning_says_what_deleting_is_for_and_what_else_returns_money(make_contract):
    warning = deletion_warning(make_contract(plan=Plan.one_off("Atlas", yen(8000))))

    for words in ("con-1", "Atlas", "mistaken applications", "by mistake", "cancel the contract", "refund single"):
        assert words in warning


# --- what stays ------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R-258", "R-263", "B-133")
def test_the_tombstone_names_the_refund_that_failed_and_no_person(make_contract, plan_it, payments, at, new_id):
    contract = make_contract(credential="tok-secret")
    deletion = plan_it(contract, *payments[:3])
    results = [
        attrs.evolve(one.refund, state=state, failure=failure)
        for one, state, failure in zip(
            deletion.refunds,
            (RefundState.DONE, RefundState.FAILED, RefundState.DONE),
            (None, Failure("BALANCE"), None),
            strict=True,
        )
    ]

    record = tombstone(deletion, results, at(NOW), new_id, actor=ITO, reason="made by mistake")

    assert (record.contract_id, record.actor, record.at, record.reason) == ("con-1", ITO, at(NOW), "made by mistake")
    assert [(row["entry"], row["state"], row["code"]) for row in record.after["refunds"]] == [
        ("fee1", "DONE", None),
        ("per1", "FAILED", "BALANCE"),
        ("per2", "DONE", None),
    ]
    text = json.dumps([dict(record.before), dict(record.after)])
    assert contract.customer_id not in text
    assert "tok-secret" not in text
