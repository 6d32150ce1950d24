import datetime as dt
import itertools

import attrs
import pytest

from paygate.domain.contract import (
    Actor,
    ActorKind,
    Cancellation,
    CancellationOrigin,
    PaymentMethod,
    Plan,
    Status,
)
from paygate.domain.operations import ACTORS, Facts, Operation, Reason, authorise, operations, require
from paygate.domain.running import next_renewal_on
from paygate.errors import (
    ChargeInProgress,
    ChargeWindowExpired,
    EffectiveDayReached,
    NaiveDatetime,
    NotCardCustomer,
    NothingToRefund,
    NotRevocable,
    OperationNotAllowed,
    PermissionDenied,
    ProviderNotCapable,
    RenewalDayError,
)
from paygate.money import Money
from paygate.provider import Capabilities

NOW = "2024-11-20 12:00:00"
CARD, BANK, MANUAL = PaymentMethod.CARD, PaymentMethod.BANK_TRANSFER, PaymentMethod.MANUAL
GOLD, BOOK = Plan.recurring("Gold", Money(3000, "JPY")), Plan.one_off("Book", Money(8000, "JPY"))
COLUMNS = (
    Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.ESTABLISHED, Status.ACTIVE, Status.SPECIAL_PERIOD,
    Status.PAST_DUE, Status.CANCEL_SCHEDULED, Status.TERMINATED, Status.CANCELED,
)  # fmt: skip

# Domain §3.1 for a contract by card and one offline, recurring where the status allows it and one-off elsewhere, on a
# day before the start and before any effective day, with money to refund: x offered, . not.
#    columns: PENDING NOT_STARTED(rec) ESTABLISHED ACTIVE SPECIAL PAST_DUE SCHEDULED TERMINATED CANCELED
TABLE = {
    "cancel":                     ("xx.......", "xx......."),
    "cancel_with_manual_refund":  (".........", "..x......"),
    "cancel_and_refund":          ("..x......", "........."),
    "confirm_payment":            ("x........", "x........"),
    "suspend":                    (".........", "...xx...."),
    "resume":                     (".........", ".....x..."),
    "schedule_cancellation":      ("...xx....", "...xx...."),
    "revoke_cancellation":        ("......x..", "......x.."),
    "terminate":                  (".....x...", ".....x..."),
    "delete":                     ("xxxxxxxxx", "xxxxxxxxx"),
    "charge_addon":               (".xxxxxxx.", "........."),
    "refund_entry":               (".xxxxxxxx", ".xxxxxxxx"),
    "set_expiry":                 (".xxxxxxx.", ".xxxxxxx."),
    "send_dunning_mail":          ("x....x...", "x....x..."),
    "mark_manual_refund_done":    ("xxxxxxxxx", "xxxxxxxxx"),
    "pause_step_mail":            ("xxxxxxxxx", "xxxxxxxxx"),
    "resume_step_mail":           ("xxxxxxxxx", "xxxxxxxxx"),
    "delete_step_mail":           ("xxxxxxxxx", "xxxxxxxxx"),
}  # fmt: skip
CELLS = [
    (name, method, status, mark == "x")
    for name, (by_card, offline) in TABLE.items()
    for method, row in ((CARD, by_card), (BANK, offline), (MANUAL, offline))
    for status, mark in zip(COLUMNS, row, strict=True)
]
RULES_BY_OPERATION = {
    "cancel": ("R-084", "R-086"),
    "cancel_with_manual_refund": ("R-093", "R-102"),
    "cancel_and_refund": ("R-097", "R-102"),
    "confirm_payment": ("R-104",),
    "suspend": ("R-111", "R-112", "R-113", "R-117"),
    "resume": ("R-119", "R-121"),
    "schedule_cancellation": ("R-124",),
    "revoke_cancellation": ("R-133",),
    "terminate": ("R-138", "R-142"),
    "delete": ("R-251",),
    "charge_addon": ("R-167", "R-187"),
    "refund_entry": ("R-244",),
}


@pytest.fixture
def facts(at):
    return Facts(at("2024-11-08 07:00:00"), refundable=True, manual_refund_due=True, queued_mails=1, paused_mails=1)


@pytest.fixture
def given(make_contract, at):
    def given(status, method=CARD, *, plan=None, effective="2024-12-08", origin=CancellationOrigin.ADMIN, **more):
        notice = Cancellation(origin, at("2024-11-10 10:00:00"), Actor.admin(), dt.date.fromisoformat(effective))
        return make_contract(
            status=status,
            method=method,
            plan=plan or (BOOK if status is Status.ESTABLISHED else GOLD),
            cancellation=notice if status is Status.CANCEL_SCHEDULED else None,
            **({"start_on": dt.date(2024, 12, 1)} if status is Status.NOT_STARTED else {}) | more,
        )

    return given


@pytest.fixture
def offer(rules, providers, facts, at):
    def offer(name, contract, now=NOW, *, known=None, capabilities=None):
        offers = operations(
            contract,
            at(now),
            rules,
            capabilities=capabilities or (providers["univapay"] if contract.is_card else None),
            facts=known or facts,
        )
        return next(one for one in offers if one.operation is Operation(name))

    return offer


@pytest.mark.rule("R-020", "R-023")
@pytest.mark.parametrize(
    ("name", "method", "status", "offered"),
    [pytest.param(*cell, marks=pytest.mark.rule(*RULES_BY_OPERATION.get(cell[0], ("R-023",)))) for cell in CELLS],
)
def test_an_operation_is_offered_exactly_where_the_table_says(given, offer, name, method, status, offered):
    shown = offer(name, given(status, method))

    assert shown.offered is offered
    assert bool(shown.reason) is not offered
    assert bool(shown.text) is not offered


@pytest.mark.rule("R-103")
@pytest.mark.parametrize(
    ("name", "method", "plan", "offered"),
    [
        ("cancel_and_refund", CARD, BOOK, True),
        ("cancel_and_refund", BANK, BOOK, False),
        ("cancel_and_refund", CARD, GOLD, False),
        ("cancel_with_manual_refund", BANK, BOOK, True),
        ("cancel_with_manual_refund", MANUAL, BOOK, True),
        ("cancel_with_manual_refund", CARD, BOOK, False),
        ("cancel_with_manual_refund", BANK, GOLD, False),
        ("cancel", CARD, BOOK, False),
    ],
)
def test_a_purchase_that_waits_for_its_start_is_undone_like_one_in_force(given, offer, name, method, plan, offered):
    assert offer(name, given(Status.NOT_STARTED, method, plan=plan)).offered is offered


@pytest.mark.rule("R-086", "R-090")
@pytest.mark.parametrize(
    ("now", "offered"),
    [
        pytest.param("2024-11-30 23:59:59", True, marks=pytest.mark.rule("B-030")),
        pytest.param("2024-12-01 00:00:00", False, marks=pytest.mark.rule("B-031")),
        ("2024-11-30T14:59:59Z", True),
        ("2024-11-30T15:00:00Z", False),
    ],
)
def test_cancelling_before_the_start_ends_at_midnight_in_japan(given, offer, now, offered):
    assert offer("cancel", given(Status.NOT_STARTED), now).offered is offered


@pytest.mark.rule("R-125", "R-126", "R-127")
@pytest.mark.parametrize(
    ("start", "now", "effective"),
    [
        pytest.param("2024-10-08", "2024-10-08 09:00:00", "2024-11-08", marks=pytest.mark.rule("B-001", "R-035")),
        pytest.param("2024-10-08", "2024-11-07 23:59:59", "2024-11-08", marks=pytest.mark.rule("B-002")),
        pytest.param("2024-10-08", "2024-11-08 00:00:00", None, marks=pytest.mark.rule("B-003")),
        pytest.param("2024-10-08", "2024-11-08 23:59:59", None, marks=pytest.mark.rule("B-004")),
        pytest.param("2024-10-08", "2024-11-09 00:00:00", "2024-12-08", marks=pytest.mark.rule("B-005")),
        pytest.param("2024-10-08", "2024-11-07T14:59:59Z", "2024-11-08", marks=pytest.mark.rule("B-006")),
        pytest.param("2024-10-08", "2024-11-07T15:00:00Z", None, marks=pytest.mark.rule("B-007")),
        pytest.param("2024-01-31", "2024-02-28 23:59:59", "2024-02-29", marks=pytest.mark.rule("B-008")),
        pytest.param("2024-01-31", "2024-02-29 12:00:00", None, marks=pytest.mark.rule("B-009")),
        pytest.param("2024-01-31", "2024-03-01 00:00:00", "2024-03-31", marks=pytest.mark.rule("B-010")),
        pytest.param("2024-01-31", "2024-03-29 12:00:00", "2024-03-31", marks=pytest.mark.rule("B-011")),
        pytest.param("2024-02-29", "2025-02-28 10:00:00", None, marks=pytest.mark.rule("B-012")),
        pytest.param("2024-02-29", "2025-03-01 00:00:00", "2025-03-29", marks=pytest.mark.rule("B-013")),
        pytest.param("2024-04-30", "2024-05-30 10:00:00", None, marks=pytest.mark.rule("B-014", "R-033")),
        pytest.param("2024-04-30", "2024-05-31 10:00:00", "2024-06-30", marks=pytest.mark.rule("B-015", "R-033")),
        pytest.param("2023-12-31", "2024-12-31 10:00:00", None, marks=pytest.mark.rule("B-016")),
    ],
)
def test_notice_takes_effect_on_the_next_renewal_day_and_is_refused_on_one(
    given, rules, at, offer, start, now, effective
):
    contract = given(Status.ACTIVE, start_on=dt.date.fromisoformat(start))

    if effective is None:
        shown = offer("schedule_cancellation", contract, now)
        assert (shown.offered, shown.reason) == (True, Reason.RENEWAL_DAY.name)
        with pytest.raises(RenewalDayError) as refused:
            require(Operation.SCHEDULE_CANCELLATION, contract, at(now), rules)
        assert refused.value.rule == "R-127"
    else:
        require(Operation.SCHEDULE_CANCELLATION, contract, at(now), rules)
        today = at(now).astimezone(rules.zone).date()
        assert next_renewal_on(contract, today) == dt.date.fromisoformat(effective)


def test_a_one_off_contract_has_no_renewal_day_to_end_on(given):
    assert next_renewal_on(given(Status.ESTABLISHED), dt.date(2024, 11, 20)) is None


@pytest.mark.rule("R-068", "R-135", "R-136")
@pytest.mark.parametrize(
    ("origin", "now", "error"),
    [
        pytest.param(CancellationOrigin.CUSTOMER, "2024-11-07 23:59:59", None, marks=pytest.mark.rule("B-020")),
        pytest.param(CancellationOrigin.ADMIN, "2024-11-08 00:00:00", EffectiveDayReached, marks=pytest.mark.rule("B-021")),
        pytest.param(CancellationOrigin.PRODUCT_END, "2024-10-20 12:00:00", NotRevocable, marks=pytest.mark.rule("B-024")),
    ],
)  # fmt: skip
def test_revoking_is_possible_until_the_effective_day_begins(given, rules, at, origin, now, error):
    contract = given(Status.CANCEL_SCHEDULED, origin=origin, effective="2024-11-08")

    if error is None:
        require(Operation.REVOKE_CANCELLATION, contract, at(now), rules)
    else:
        with pytest.raises(error):
            require(Operation.REVOKE_CANCELLATION, contract, at(now), rules)


@pytest.mark.rule("R-187", "R-197")
@pytest.mark.parametrize(
    ("change", "reason", "error"),
    [
        ({"known": Facts()}, Reason.NEVER_PAID, OperationNotAllowed),
        ({"credential": None}, Reason.NEVER_PAID, OperationNotAllowed),
        ({"open_charge": True}, Reason.CHARGE_IN_PROGRESS, ChargeInProgress),
        ({"now": "2025-11-08 07:00:00"}, Reason.WINDOW_EXPIRED, ChargeWindowExpired),
        ({"now": "2025-11-08 06:59:59"}, None, None),
        ({"capabilities": Capabilities("Plain", additional_charge=False)}, Reason.PROVIDER_NOT_CAPABLE, ProviderNotCapable),
        ({"method": BANK}, Reason.CARD_ONLY, NotCardCustomer),
    ],
)  # fmt: skip
def test_the_button_says_why_a_card_cannot_be_charged(given, offer, rules, providers, facts, at, change, reason, error):
    contract = given(Status.ACTIVE, change.get("method", CARD), credential=change.get("credential", "tok-1"))
    known = change.get("known") or attrs.evolve(facts, open_charge=change.get("open_charge", False))
    now, capabilities = change.get("now", NOW), change.get("capabilities") or providers["univapay"]

    shown = offer("charge_addon", contract, now, known=known, capabilities=capabilities)

    assert shown.reason == (reason.name if reason else "")
    if error:
        with pytest.raises(error):
            require(Operation.CHARGE_ADDON, contract, at(now), rules, capabilities=capabilities, facts=known)


@pytest.mark.rule("R-241")
def test_without_a_row_to_refund_the_button_is_missing(given, offer, rules, at):
    assert offer("refund_entry", given(Status.ACTIVE), known=Facts()).reason == Reason.NOTHING_TO_REFUND.name
    with pytest.raises(NothingToRefund):
        require(Operation.REFUND_ENTRY, given(Status.ACTIVE), at(NOW), rules)


@pytest.mark.rule("R-023", "R-226", "R-227", "R-228", "R-250")
@pytest.mark.parametrize(
    ("name", "missing", "reason"),
    [
        ("pause_step_mail", {"queued_mails": 0}, Reason.NO_MAIL),
        ("resume_step_mail", {"paused_mails": 0}, Reason.NO_MAIL),
        ("delete_step_mail", {"queued_mails": 0, "paused_mails": 0}, Reason.NO_MAIL),
        ("mark_manual_refund_done", {"manual_refund_due": False}, Reason.NO_MANUAL_REFUND),
    ],
)
def test_what_depends_on_the_queue_or_the_ledger_is_offered_by_it(given, offer, facts, name, missing, reason):
    assert offer(name, given(Status.ACTIVE), known=attrs.evolve(facts, **missing)).reason == reason.name


@pytest.mark.rule("R-024")
@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("status", Status)
def test_what_is_not_offered_is_refused_naming_status_and_operation(given, rules, at, facts, offer, operation, status):
    contract = given(status, BANK)

    if offer(operation.value, contract).offered:
        require(operation, contract, at(NOW), rules, facts=facts)
    else:
        with pytest.raises(OperationNotAllowed) as refused:
            require(operation, contract, at(NOW), rules, facts=facts)
        assert status.value in str(refused.value)
        assert operation.value in str(refused.value)
        assert refused.value.rule


@pytest.mark.rule("R-024")
def test_refunding_to_a_card_that_was_not_used_is_simply_not_allowed(given, rules, at):
    with pytest.raises(OperationNotAllowed) as refused:
        require(Operation.CANCEL_AND_REFUND, given(Status.ESTABLISHED, BANK), at(NOW), rules)

    assert type(refused.value) is OperationNotAllowed


@pytest.mark.rule("R-023")
def test_asking_twice_gives_the_same_answer_for_every_operation(given, rules, at):
    contract = given(Status.ACTIVE)

    first = operations(contract, at(NOW), rules)

    assert first == operations(contract, at(NOW), rules)
    assert [one.operation for one in first] == list(Operation)


@pytest.mark.rule("R-102")
@pytest.mark.parametrize("method", PaymentMethod)
def test_an_established_contract_offers_exactly_one_way_to_be_undone(given, offer, method):
    contract = given(Status.ESTABLISHED, method)

    assert offer("cancel_and_refund", contract).offered is not offer("cancel_with_manual_refund", contract).offered


@pytest.mark.rule("R-002")
def test_a_time_without_a_zone_is_refused(given, rules):
    with pytest.raises(NaiveDatetime):
        operations(given(Status.ACTIVE), dt.datetime(2024, 11, 20), rules)  # noqa: DTZ001


@pytest.mark.rule("R-091", "R-131", "R-169", "R-267")
@pytest.mark.parametrize(("operation", "kind"), list(itertools.product(Operation, ActorKind)))
def test_who_may_do_what(given, operation, kind):
    contract = given(Status.PENDING_PAYMENT)

    if kind in ACTORS[operation]:
        authorise(operation, contract, Actor(kind, "cus-1"))
    else:
        with pytest.raises(PermissionDenied) as refused:
            authorise(operation, contract, Actor(kind, "cus-1"))
        assert refused.value.rule in {"R-169", "R-267"}


@pytest.mark.rule("R-091", "R-131", "R-267")
def test_customers_end_their_own_contracts_and_undo_only_unpaid_ones(given):
    me, other = Actor.customer("cus-1"), Actor.customer("cus-2")
    customers = {operation for operation, kinds in ACTORS.items() if ActorKind.CUSTOMER in kinds}

    assert customers == {
        Operation.CANCEL,
        Operation.SCHEDULE_CANCELLATION,
        Operation.REVOKE_CANCELLATION,
        Operation.CHANGE_PAYMENT,
    }
    authorise(Operation.SCHEDULE_CANCELLATION, given(Status.ACTIVE), me)
    for operation, status, actor in (
        (Operation.SCHEDULE_CANCELLATION, Status.ACTIVE, other),
        (Operation.CANCEL, Status.PENDING_PAYMENT, other),
        (Operation.CANCEL, Status.NOT_STARTED, me),
    ):
        with pytest.raises(PermissionDenied):
            authorise(operation, given(status), actor)


def test_a_cancellation_that_is_not_recorded_cannot_be_revoked(given, offer):
    contract = attrs.evolve(given(Status.CANCEL_SCHEDULED), cancellation=None)

    assert offer("revoke_cancellation", contract).reason == Reason.STATUS.name
