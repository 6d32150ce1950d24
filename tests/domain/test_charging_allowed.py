"""Whether an additional charge may be sent: every refusal, and the order in which they are given."""

import datetime as dt

import attrs
import pytest

from paygate.domain.charge import Consent, Purpose
from paygate.domain.charging import AddonCommand, ChargeFacts, decide_addon, window_closes_at
from paygate.domain.contract import Actor, PastDue, PaymentMethod, Status
from paygate.domain.rules import Rules
from paygate.errors import (
    ChargeInProgress,
    ChargeWindowExpired,
    ConsentRequired,
    DuplicateCharge,
    InvalidAmount,
    InvalidValue,
    NaiveDatetime,
    NotCardCustomer,
    OperationNotAllowed,
    OptionNotSupported,
    PermissionDenied,
    ProviderNotCapable,
    Refused,
    RetryPending,
    SystemMaxPassed,
)
from paygate.money import Money
from paygate.provider import Capabilities

NOW = "2024-11-20 12:00:00"
CONSENT = Consent("phone, 2024-11-20")
COMMAND = AddonCommand(Money(5000, "JPY"), consent=CONSENT)
CARD_STATUSES = [status for status in Status if status not in {Status.PENDING_PAYMENT, Status.CANCELED}]


@pytest.fixture
def ask(make_contract, providers, rules, at):
    """Ask for a charge; by default one that nothing speaks against."""

    def ask(provider="univapay", now=NOW, *, contract=None, facts=None, capabilities=None, policy=None, **command):
        instant = at(now) if isinstance(now, str) else now
        return decide_addon(
            contract or make_contract(),
            attrs.evolve(COMMAND, **command),
            capabilities or providers[provider],
            facts or ChargeFacts(last_paid_at=at("2024-11-08 07:00:00")),
            policy or rules,
            instant,
        )

    return ask


@pytest.fixture
def refused(ask):
    """Ask for a charge that is refused, and return the error."""

    def refused(*arguments, **keywords):
        with pytest.raises(Refused) as caught:
            ask(*arguments, **keywords)
        return caught.value

    return refused


@pytest.mark.rule("R-165", "R-168", "R-195")
@pytest.mark.parametrize("provider", ["univapay", "telecom", "stripe", "amazonpay"])
def test_all_four_providers_charge_the_stored_card(ask, provider):
    ask(provider)


@pytest.mark.rule("R-169")
@pytest.mark.parametrize("actor", [Actor.customer("cus-1"), Actor.provider("main"), Actor.scheduler()])
def test_nobody_but_an_administrator_starts_it(refused, actor):
    error = refused(actor=actor)

    assert isinstance(error, PermissionDenied)
    assert error.rule == "R-169"


@pytest.mark.rule("R-004", "R-171", "B-105")
@pytest.mark.parametrize("amount", [Money(0, "JPY"), 1000, 1000.0, True, "1000", None])
def test_an_amount_that_is_nothing_or_not_money_is_refused(refused, amount):
    assert isinstance(refused(amount=amount), InvalidAmount)


@pytest.mark.rule("R-004", "B-105")
@pytest.mark.parametrize("minor", [-1, 1.5, True, "1000"])
def test_money_cannot_even_be_made_of_such_a_number(minor):
    with pytest.raises(InvalidAmount):
        Money(minor, "JPY")


@pytest.mark.rule("R-004")
def test_another_currency_than_the_contracts_is_refused(refused):
    assert isinstance(refused(amount=Money(5000, "USD")), InvalidAmount)


@pytest.mark.rule("R-004")
def test_a_currency_that_the_provider_does_not_take_is_refused(refused):
    error = refused(capabilities=Capabilities("Dollars", amounts={}))

    assert isinstance(error, InvalidAmount)
    assert "Dollars does not take JPY" in str(error)


@pytest.mark.rule("R-171", "R-215", "B-104")
@pytest.mark.parametrize(
    ("provider", "minor", "fine"),
    [
        ("stripe", 49, False),
        ("stripe", 50, True),
        ("stripe", 99_999_999, True),
        ("stripe", 100_000_000, False),
        ("univapay", 1, True),
        ("univapay", 10**12, True),
    ],
)
def test_the_amount_is_free_within_the_providers_limits(ask, refused, provider, minor, fine):
    amount = Money(minor, "JPY")

    if fine:
        ask(provider, amount=amount)
    else:
        error = refused(provider, amount=amount)
        assert isinstance(error, InvalidAmount)
        assert error.rule == "R-215"


@pytest.mark.rule("R-187")
@pytest.mark.parametrize("status", CARD_STATUSES)
def test_it_is_offered_in_every_status_with_a_payment_behind_it(ask, make_contract, status):
    ask(contract=make_contract(status=status))


@pytest.mark.rule("R-024", "R-187")
@pytest.mark.parametrize("status", [Status.PENDING_PAYMENT, Status.CANCELED])
def test_it_is_never_offered_before_payment_or_after_cancellation(refused, make_contract, status):
    error = refused(contract=make_contract(status=status))

    assert type(error) is OperationNotAllowed
    assert status.value in str(error)
    assert "charge_addon" in str(error)


@pytest.mark.rule("R-167", "B-115")
@pytest.mark.parametrize("method", [PaymentMethod.BANK_TRANSFER, PaymentMethod.MANUAL])
def test_a_contract_without_card_cannot_be_charged(make_contract, rules, at, method):
    with pytest.raises(NotCardCustomer):
        decide_addon(make_contract(method=method), COMMAND, None, ChargeFacts(), rules, at(NOW))


@pytest.mark.rule("R-166")
def test_an_account_that_is_not_set_up_is_named(make_contract, rules, at):
    with pytest.raises(ProviderNotCapable, match="'main' is not set up"):
        decide_addon(make_contract(), COMMAND, None, ChargeFacts(), rules, at(NOW))


@pytest.mark.rule("R-165")
def test_a_provider_that_cannot_do_it_is_refused(refused):
    assert isinstance(refused(capabilities=Capabilities("Plain", additional_charge=False)), ProviderNotCapable)


@pytest.mark.rule("R-188", "B-112")
@pytest.mark.parametrize("consent", [None, Consent(""), Consent("  ")])
def test_without_recorded_consent_it_is_refused(refused, consent):
    assert isinstance(refused(consent=consent), ConsentRequired)


@pytest.mark.rule("R-185")
@pytest.mark.parametrize(
    ("provider", "options", "fine"),
    [
        *[("univapay", {"renew_expiry": e, "send_step_mail": m}, True) for e in (None, False, True) for m in (None, False, True)],
        *[("stripe", {"renew_expiry": e, "send_step_mail": m}, True) for e in (None, False, True) for m in (None, False, True)],
        pytest.param("telecom", {}, True, marks=pytest.mark.rule("R-206", "R-212")),
        ("telecom", {"renew_expiry": True, "send_step_mail": True}, True),
        pytest.param("telecom", {"send_step_mail": False}, False, marks=pytest.mark.rule("B-106", "R-206")),
        pytest.param("telecom", {"renew_expiry": False}, False, marks=pytest.mark.rule("B-106", "R-206")),
        pytest.param("amazonpay", {"renew_expiry": True}, False, marks=pytest.mark.rule("B-107", "R-217")),
        pytest.param("amazonpay", {"renew_expiry": False}, False, marks=pytest.mark.rule("B-107", "R-217")),
        pytest.param("amazonpay", {"send_step_mail": True}, True, marks=pytest.mark.rule("R-217")),
        pytest.param("amazonpay", {"send_step_mail": False}, True, marks=pytest.mark.rule("R-217")),
    ],
)  # fmt: skip
def test_an_option_that_contradicts_the_provider_is_refused(ask, refused, provider, options, fine):
    if fine:
        ask(provider, **options)
    else:
        error = refused(provider, **options)
        assert isinstance(error, OptionNotSupported)
        assert error.rule == "R-185"


@pytest.mark.rule("R-185")
@pytest.mark.parametrize("value", [1, 0, "yes", ()])
@pytest.mark.parametrize("option", ["renew_expiry", "send_step_mail"])
def test_an_option_is_true_false_or_left_out(refused, option, value):
    assert isinstance(refused(**{option: value}), InvalidValue)


@pytest.mark.rule("R-184", "R-185")
@pytest.mark.parametrize(
    ("provider", "renew", "mail"),
    [
        pytest.param("univapay", False, False, marks=pytest.mark.rule("R-196")),
        pytest.param("stripe", False, False, marks=pytest.mark.rule("R-214")),
        pytest.param("telecom", True, True, marks=pytest.mark.rule("R-206", "R-207", "R-208")),
        pytest.param("amazonpay", False, False, marks=pytest.mark.rule("R-217")),
    ],
)
def test_options_left_out_accept_what_the_provider_always_does_and_are_off_otherwise(ask, provider, renew, mail):
    decision = ask(provider)

    assert (decision.renew_expiry, decision.send_step_mail) == (renew, mail)


@pytest.mark.rule("R-189", "R-193", "B-100", "B-114")
def test_while_a_charge_has_no_result_a_further_one_is_refused(refused, at):
    error = refused(facts=ChargeFacts(at("2024-11-08 07:00:00"), open_charge="chg-9"))

    assert isinstance(error, ChargeInProgress)
    assert "chg-9" in str(error)


@pytest.mark.rule("R-187", "R-204", "B-091")
@pytest.mark.parametrize("provider", ["univapay", "telecom", "stripe", "amazonpay"])
def test_a_customer_who_never_paid_through_the_account_cannot_be_charged(refused, provider):
    error = refused(provider, facts=ChargeFacts())

    assert type(error) is OperationNotAllowed
    assert error.rule == "R-204"


@pytest.mark.rule("R-168", "R-204")
def test_without_a_stored_credential_there_is_nothing_to_charge(refused, make_contract):
    assert refused(contract=make_contract(credential=None)).rule == "R-204"


@pytest.mark.rule("R-197", "R-199")
@pytest.mark.parametrize(
    ("paid", "now", "fine"),
    [
        pytest.param("2023-03-10 12:00:00", "2024-03-10 11:59:59", True, marks=pytest.mark.rule("B-080")),
        pytest.param("2023-03-10 12:00:00", "2024-03-10 12:00:00", False, marks=pytest.mark.rule("B-081", "B-093")),
        pytest.param("2023-03-10 12:00:00", "2024-03-10 12:00:01", False, marks=pytest.mark.rule("B-082")),
        pytest.param("2024-02-29 10:00:00", "2025-02-28 09:59:59", True, marks=pytest.mark.rule("B-083")),
        pytest.param("2024-02-29 10:00:00", "2025-02-28 10:00:00", False, marks=pytest.mark.rule("B-083")),
        pytest.param("2023-02-28 23:59:59", "2024-02-28 23:59:58", True, marks=pytest.mark.rule("B-084")),
        pytest.param("2023-02-28 23:59:59", "2024-02-28 23:59:59", False, marks=pytest.mark.rule("B-084")),
        pytest.param("2023-03-01 00:00:00", "2024-02-29 23:59:59", True, marks=pytest.mark.rule("B-085")),
        pytest.param("2023-03-01 00:00:00", "2024-03-01 00:00:00", False, marks=pytest.mark.rule("B-085")),
        pytest.param("2024-02-28T15:30:00Z", "2025-02-27T15:29:59Z", True, marks=pytest.mark.rule("B-086")),
        pytest.param("2024-02-28T15:30:00Z", "2025-02-27T15:30:00Z", False, marks=pytest.mark.rule("B-086")),
        pytest.param("2024-01-15 12:00:00", "2025-01-15 11:59:59", True, marks=pytest.mark.rule("B-087", "R-198")),
        pytest.param("2024-01-15 12:00:00", "2025-01-15 12:00:00", False, marks=pytest.mark.rule("B-087", "R-198")),
        ("2020-01-01 00:00:00", "2024-03-10 12:00:00", False),
        ("2024-03-10 11:59:59", "2024-03-10 12:00:00", True),
    ],
)
def test_the_window_closes_at_the_anniversary_of_the_last_payment_inclusive(ask, refused, at, paid, now, fine):
    facts = ChargeFacts(last_paid_at=at(paid))

    if fine:
        ask(now=now, facts=facts)
    else:
        error = refused(now=now, facts=facts)
        assert isinstance(error, ChargeWindowExpired)
        assert error.rule == "R-197"


@pytest.mark.rule("R-203", "R-213", "R-216", "R-223", "B-094")
@pytest.mark.parametrize("provider", ["telecom", "stripe", "amazonpay"])
def test_the_other_providers_know_no_window(ask, at, provider):
    ask(provider, now="2024-09-10 12:00:00", facts=ChargeFacts(at("2023-03-10 12:00:00")))


@pytest.mark.rule("R-203")
def test_the_window_can_be_declared_by_any_provider(refused, providers, at):
    windowed = attrs.evolve(providers["stripe"], charge_window_years=2)

    error = refused(capabilities=windowed, now="2025-03-10 12:00:00", facts=ChargeFacts(at("2023-03-10 12:00:00")))

    assert isinstance(error, ChargeWindowExpired)


@pytest.mark.rule("R-199", "R-203")
def test_when_the_window_closes_can_be_read(providers, at):
    assert window_closes_at(at("2024-02-29 10:00:00"), providers["univapay"]) == at("2025-02-28 10:00:00")
    assert window_closes_at(None, providers["univapay"]) is None
    assert window_closes_at(at("2024-02-29 10:00:00"), providers["stripe"]) is None


@pytest.mark.rule("R-197")
@pytest.mark.parametrize(
    ("now", "warned"),
    [("2025-01-16 09:59:59", False), ("2025-01-29 09:59:59", False), ("2025-01-29 10:00:00", True), ("2025-02-28 09:59:59", True)],
)  # fmt: skip
def test_a_window_that_closes_within_thirty_days_is_warned_of(ask, at, now, warned):
    decision = ask(now=now, facts=ChargeFacts(at("2024-02-29 10:00:00")))

    assert bool(decision.warnings) is warned


@pytest.mark.rule("R-221", "B-109")
def test_a_fixed_expiry_that_has_passed_is_refused_before_sending(ask, refused, at):
    facts = ChargeFacts(at("2030-12-01 00:00:00"))

    ask("amazonpay", now="2030-12-31 23:59:59", facts=facts)
    error = refused("amazonpay", now="2031-01-01 00:00:00", facts=facts)
    ask("stripe", now="2031-01-01 00:00:00", facts=facts)
    ask("amazonpay", now="2031-01-01 00:00:00", facts=facts, policy=Rules(system_max=dt.date(2040, 12, 31)))

    assert isinstance(error, SystemMaxPassed)
    assert error.rule == "R-221"


@pytest.mark.rule("R-205", "B-103")
def test_the_same_amount_on_the_same_card_waits_for_the_duplicate_window(ask, refused, at):
    similar = at("2024-11-20 12:00:00")
    facts = ChargeFacts(at("2024-11-08 07:00:00"), similar_at=similar)

    error = refused(facts=facts, now=similar + dt.timedelta(seconds=29, milliseconds=999))
    ask(facts=facts, now=similar + dt.timedelta(seconds=30))
    ask("stripe", facts=facts, now=similar)

    assert isinstance(error, DuplicateCharge)
    assert error.rule == "R-205"


@pytest.mark.rule("R-161", "B-113")
def test_arrears_wait_until_the_provider_no_longer_retries(ask, refused, make_contract, at):
    waiting = PastDue(at("2024-11-08 07:00:00"), dt.date(2024, 11, 8), retry_pending=True)
    contract = make_contract(status=Status.PAST_DUE, past_due=waiting)

    error = refused(contract=contract, purpose=Purpose.ARREARS, other_amount=True)
    ask(contract=contract, purpose=Purpose.ONE_OFF)
    stopped = attrs.evolve(contract, past_due=attrs.evolve(waiting, retry_pending=False))
    ask(contract=stopped, purpose=Purpose.ARREARS, other_amount=True)

    assert isinstance(error, RetryPending)
    assert error.rule == "R-161"


@pytest.mark.rule("R-170", "R-191")
@pytest.mark.parametrize("status", CARD_STATUSES)
def test_arrears_are_collected_only_where_a_period_is_unpaid(ask, refused, make_contract, status):
    contract = make_contract(status=status)

    if status in {Status.PAST_DUE, Status.TERMINATED}:
        ask(contract=contract, purpose=Purpose.ARREARS)
    else:
        assert refused(contract=contract, purpose=Purpose.ARREARS).rule == "R-191"


@pytest.mark.rule("R-002")
def test_a_time_without_a_zone_is_refused(refused):
    assert isinstance(refused("stripe", now=dt.datetime(2024, 11, 20, 12)), NaiveDatetime)  # noqa: DTZ001


def test_the_first_thing_wrong_is_the_one_that_is_named(make_contract, rules, at, providers):
    """Mends one thing at a time, in the documented order, until nothing is wrong."""
    paid, now = at("2023-11-01 12:00:00"), at("2031-06-01 12:00:00")
    state = {
        "contract": make_contract(method=PaymentMethod.MANUAL, status=Status.PENDING_PAYMENT),
        "command": AddonCommand(Money(0, "JPY"), "on", None, None, Purpose.ARREARS, Actor.scheduler()),
        "capabilities": None,
        "facts": ChargeFacts(None, "chg-1", at("2031-06-01 12:00:00")),
        "rules": rules,
        "now": now,
    }
    strict = attrs.evolve(providers["amazonpay"], charge_window_years=1, duplicate_window=30)
    waiting = PastDue(at("2031-05-08 07:00:00"), dt.date(2031, 5, 8), retry_pending=True)

    def mend(**changes):
        for name, change in changes.items():
            state[name] = attrs.evolve(state[name], **change) if isinstance(change, dict) else change

    steps = [
        (PermissionDenied, {"command": {"actor": Actor.admin()}}),
        (InvalidAmount, {"command": {"amount": Money(100, "JPY")}}),
        (OperationNotAllowed, {"contract": {"status": Status.PAST_DUE, "past_due": waiting}}),
        (NotCardCustomer, {"contract": {"method": PaymentMethod.CARD, "account": "main"}}),
        (ProviderNotCapable, {"capabilities": attrs.evolve(strict, additional_charge=False)}),
        (ProviderNotCapable, {"capabilities": strict}),
        (ConsentRequired, {"command": {"consent": CONSENT}}),
        (InvalidValue, {"command": {"renew_expiry": True}}),
        (OptionNotSupported, {"command": {"renew_expiry": None}}),
        (ChargeInProgress, {"facts": {"open_charge": None}}),
        (OperationNotAllowed, {"contract": {"credential": "tok-1"}, "facts": {"last_paid_at": paid}}),
        (ChargeWindowExpired, {"facts": {"last_paid_at": at("2031-05-01 12:00:00")}}),
        (SystemMaxPassed, {"rules": Rules(system_max=dt.date(2040, 12, 31))}),
        (DuplicateCharge, {"facts": {"similar_at": None}}),
        (InvalidAmount, {"command": {"other_amount": True}}),
        (RetryPending, {"contract": {"past_due": attrs.evolve(waiting, retry_pending=False)}}),
    ]
    for error, changes in steps:
        with pytest.raises(Refused) as caught:
            decide_addon(**state)
        assert type(caught.value) is error
        assert caught.value.rule
        mend(**changes)

    decide_addon(**state)


@pytest.mark.rule("R-168")
def test_no_refusal_shows_the_stored_credential(refused, make_contract):
    contract = make_contract(credential="tok-secret", status=Status.CANCELED)

    assert "tok-secret" not in str(refused(contract=contract))
    assert "tok-secret" not in repr(contract)
