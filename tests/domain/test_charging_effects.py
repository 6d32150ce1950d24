"""What an additional charge does: the preview before it, and the settlement of its success."""

import datetime as dt

import attrs
import pytest

from paygate.domain.audit import AuditRecord
from paygate.domain.charge import Charge, ChargeState, Consent, Failure, Purpose
from paygate.domain.charging import AddonCommand, ChargeFacts, decide_addon, settle_addon
from paygate.domain.contract import (
    Actor,
    Cancellation,
    CancellationOrigin,
    Cycle,
    PastDue,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.followup import NoticeKind
from paygate.domain.ledger import EntryKind, EntryState
from paygate.domain.licences import License, LicenseState
from paygate.domain.mails import MailSet, StepMailPlan, StepMailState
from paygate.domain.rules import SYSTEM_MAX_EXPIRY, Rules
from paygate.domain.transitions import Event, find
from paygate.errors import (
    ChargeDeclined,
    DuplicateCharge,
    NaiveDatetime,
    OutcomeUnknown,
    PermissionClosed,
    ProviderUnavailable,
)
from paygate.money import Money
from paygate.provider import DeclineClass

NOW = "2024-11-20 12:00:00"
OPTIONS = [(False, False), (True, False), (False, True), (True, True)]


@pytest.fixture
def settle(make_contract, make_charge, providers, rules, new_id, at):
    def settle(provider="univapay", receipt=NOW, *, contract=None, policy=None, licences=(), **charge):
        return settle_addon(
            contract or make_contract(expires_on=dt.date(2024, 12, 8)),
            make_charge(**charge),
            providers[provider],
            policy or rules,
            at(receipt),
            new_id,
            licences=licences,
        )

    return settle


@pytest.fixture
def preview(make_contract, providers, rules, at):
    def preview(provider="univapay", *, contract=None, policy=None, **options):
        return decide_addon(
            contract or make_contract(expires_on=dt.date(2024, 12, 8)),
            AddonCommand(Money(5000, "JPY"), consent=Consent("phone"), **options),
            providers[provider],
            ChargeFacts(at("2024-11-08 07:00:00")),
            policy or rules,
            at(NOW),
        )

    return preview


@pytest.mark.rule("R-173", "R-180", "R-183", "R-196", "R-214", "B-110")
@pytest.mark.parametrize("provider", ["univapay", "stripe"])
@pytest.mark.parametrize(("renew", "mail"), OPTIONS)
def test_the_preview_shows_what_the_options_will_do(preview, provider, renew, mail, at):
    shown = preview(provider, renew_expiry=renew, send_step_mail=mail)

    assert shown.expires_on == dt.date(2024, 12, 8)
    assert shown.expires_on_after == (dt.date(2025, 1, 8) if renew else dt.date(2024, 12, 8))
    assert [due for _, due in shown.mails] == ([at("2024-11-20 12:05:00")] if mail else [])
    assert not shown.warnings


@pytest.mark.rule("R-207", "R-208", "R-211", "R-230", "X-12")
def test_a_forced_mail_is_warned_of_with_its_due_time(preview):
    late = Rules(step_mails=(StepMailPlan("thanks", MailSet.ON_RENEWAL, 300),))
    at_once = Rules(step_mails=(StepMailPlan("thanks", MailSet.ON_RENEWAL, 0),))

    assert "before 2024-11-20T12:05:00+09:00" in preview("telecom", policy=late).warnings[0]
    assert "cannot be held back" in preview("telecom", policy=at_once).warnings[0]
    assert preview("stripe", policy=at_once, send_step_mail=True).warnings == ()


@pytest.mark.rule("R-173", "R-218")
def test_the_preview_of_a_fixed_expiry_names_the_system_maximum(preview, make_contract, book):
    contract = make_contract(plan=book, status=Status.ESTABLISHED, expires_on=dt.date(2026, 3, 31))

    assert preview("amazonpay", contract=contract).expires_on_after == SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-177", "R-236", "R-237", "R-188")
def test_a_success_adds_exactly_one_row_that_says_everything(settle, at):
    charged_at = at("2024-11-20 11:59:30")

    (row,) = settle(charged_at=charged_at).entries

    assert (row.contract_id, row.customer_id, row.charge_id) == ("con-1", "cus-1", "c" * 32)
    assert (row.kind, row.state, row.amount) == (EntryKind.ADDON, EntryState.SUCCEEDED, Money(5000, "JPY"))
    assert (row.account, row.reference) == ("main", "ref-1")
    assert row.purchased_on == row.target_on == dt.date(2024, 11, 20)
    assert row.consent == "phone, 2024-11-20"
    assert row.actor == Actor.admin("ito")


@pytest.mark.rule("R-201")
def test_the_rows_instant_is_the_providers_success_time_if_it_is_known(settle, at):
    assert settle(charged_at=at("2024-11-20 11:59:30")).entries[0].received_at == at("2024-11-20 11:59:30")
    assert settle(charged_at=None).entries[0].received_at == at(NOW)


@pytest.mark.rule("R-180")
def test_the_rows_date_is_the_receipts_date_in_japan(settle):
    assert settle(receipt="2024-11-20T15:00:00Z").entries[0].purchased_on == dt.date(2024, 11, 21)


@pytest.mark.rule("R-052", "R-179", "R-181", "R-182", "R-183", "R-186", "R-214", "B-043", "B-110")
@pytest.mark.parametrize("provider", ["univapay", "stripe"])
@pytest.mark.parametrize(("renew", "mail"), OPTIONS)
def test_expiry_and_mails_change_exactly_as_chosen(settle, make_contract, provider, renew, mail):
    contract = make_contract(expires_on=dt.date(2024, 12, 8))

    done = settle(provider, contract=contract, renew_expiry=renew, send_step_mail=mail)

    assert done.contract == attrs.evolve(contract, expires_on=dt.date(2025, 1, 8) if renew else dt.date(2024, 12, 8))
    assert len(done.mails) == mail


@pytest.mark.rule("R-050", "R-180", "B-044")
def test_the_expiry_counts_from_the_receipt_not_from_the_request(settle, make_contract, at):
    contract = make_contract(expires_on=dt.date(2024, 11, 8))

    done = settle(
        receipt="2024-12-08 00:00:10", contract=contract, renew_expiry=True, created_at=at("2024-12-07 23:59:50")
    )

    assert done.contract.expires_on == dt.date(2025, 1, 8)


@pytest.mark.rule("R-207", "R-208", "R-224")
def test_what_the_provider_forces_happens(settle, preview):
    options = preview("telecom")

    done = settle("telecom", renew_expiry=options.renew_expiry, send_step_mail=options.send_step_mail)

    assert done.contract.expires_on == options.expires_on_after == dt.date(2025, 1, 8)
    assert [mail.set for mail in done.mails] == [MailSet.ON_RENEWAL]


@pytest.mark.rule("R-218", "R-219", "B-108")
def test_a_fixed_expiry_overwrites_one_that_was_set_by_hand(settle, make_contract, book):
    contract = make_contract(plan=book, status=Status.ESTABLISHED, expires_on=dt.date(2026, 3, 31))

    assert settle("amazonpay", contract=contract).contract.expires_on == SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-053", "B-045")
def test_without_a_cycle_renewing_leaves_the_system_maximum(settle, make_contract, book):
    contract = make_contract(plan=book, status=Status.ESTABLISHED, expires_on=SYSTEM_MAX_EXPIRY)

    assert settle(contract=contract, renew_expiry=True).contract.expires_on == SYSTEM_MAX_EXPIRY


@pytest.mark.rule("R-225", "R-226", "R-232", "B-124")
def test_a_mail_waits_in_the_queue_from_the_receipt_for_its_delay(settle, at):
    (mail,) = settle(receipt="2024-11-20 12:03:00", send_step_mail=True, created_at=at("2024-11-20 12:00:00")).mails

    assert (mail.state, mail.queued_at) == (StepMailState.QUEUED, at("2024-11-20 12:03:00"))
    assert mail.due_at == at("2024-11-20 12:08:00")
    assert mail.sent_at is None


@pytest.mark.rule("R-230", "B-123")
def test_a_mail_without_delay_goes_out_at_the_receipt(settle, at):
    policy = Rules(step_mails=(StepMailPlan("now", MailSet.ON_RENEWAL, 0),))

    (mail,) = settle(policy=policy, send_step_mail=True).mails

    assert (mail.state, mail.due_at, mail.sent_at) == (StepMailState.SENT, at(NOW), at(NOW))


@pytest.mark.rule("R-198", "R-202", "B-092")
def test_a_success_that_arrives_after_the_window_has_closed_is_accepted(settle, at):
    done = settle(receipt="2025-11-20 12:02:00", created_at=at("2025-11-20 11:59:59"))

    assert done.entries[0].received_at == at("2025-11-20 12:02:00")


@pytest.mark.rule("R-022", "R-179", "R-187", "T-81", "T-91")
@pytest.mark.parametrize("status", Status)
def test_a_one_off_charge_never_changes_the_status(settle, make_contract, status, at):
    missing = PastDue(at("2024-11-08 07:00:00"), dt.date(2024, 11, 8)) if status is Status.PAST_DUE else None
    contract = make_contract(status=status, past_due=missing)

    done = settle(contract=contract)

    assert done.contract.status is status
    assert done.pay_period is None
    assert find(status, Event.ADDON_SETTLED, done.contract.status)


@pytest.fixture
def past_due(make_contract, at):
    def past_due(**given):
        missing = PastDue(at("2024-11-08 07:00:00"), dt.date(2024, 11, 8), failures=3, exhausted=True)
        return make_contract(status=Status.PAST_DUE, past_due=missing, **given)

    return past_due


@pytest.mark.rule("R-170", "R-191", "B-113", "T-66")
def test_paid_arrears_resume_the_contract_and_name_the_period(settle, past_due):
    done = settle(contract=past_due(), purpose=Purpose.ARREARS)

    assert (done.contract.status, done.contract.past_due) == (Status.ACTIVE, None)
    assert done.pay_period == dt.date(2024, 11, 8)
    assert [row.kind for row in done.entries] == [EntryKind.ADDON]
    assert done.transition == "T-66"
    assert {notice.kind for notice in done.notices} == {NoticeKind.RESUMED}


@pytest.mark.rule("R-179", "R-191")
def test_a_one_off_charge_leaves_a_past_due_contract_as_it_is(settle, past_due):
    contract = past_due()

    assert settle(contract=contract, purpose=Purpose.ONE_OFF).contract == contract


@pytest.mark.rule("R-065", "R-191")
@pytest.mark.parametrize(("receipt", "status"), [("2025-01-07 23:59:59", Status.SPECIAL_PERIOD), ("2025-01-08 00:00:00", Status.ACTIVE)])  # fmt: skip
def test_paid_arrears_return_to_the_special_period_by_date(settle, past_due, receipt, status):
    plan = Plan.recurring("Gold", Money(3000, "JPY"), special_price=Money(1000, "JPY"), special_periods=3)

    assert settle(receipt=receipt, contract=past_due(plan=plan), purpose=Purpose.ARREARS).contract.status is status


@pytest.mark.rule("R-163", "R-191")
@pytest.mark.parametrize(("receipt", "status"), [("2024-12-07 23:59:59", Status.CANCEL_SCHEDULED), ("2024-12-08 00:00:00", Status.TERMINATED)])  # fmt: skip
def test_paid_arrears_return_to_a_cancellation_that_was_kept(settle, past_due, at, receipt, status):
    notice = Cancellation(
        CancellationOrigin.CUSTOMER, at("2024-11-09 10:00:00"), Actor.customer("cus-1"), dt.date(2024, 12, 8)
    )

    contract = settle(receipt=receipt, contract=past_due(cancellation=notice), purpose=Purpose.ARREARS).contract

    assert contract.status is status
    assert contract.cancellation == (notice if status is Status.CANCEL_SCHEDULED else None)
    assert contract.ended_on == (None if status is Status.CANCEL_SCHEDULED else dt.date(2024, 12, 8))


@pytest.mark.rule("R-070", "R-191")
@pytest.mark.parametrize(("receipt", "status"), [("2024-11-30 12:00:00", Status.ACTIVE), ("2024-12-10 12:00:00", Status.CANCEL_SCHEDULED), ("2025-01-08 00:00:00", Status.TERMINATED)])  # fmt: skip
def test_paid_arrears_do_not_outlive_the_product(settle, past_due, receipt, status):
    plan = Plan.recurring(
        "Gold", Money(3000, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE, end_month="2024-12"),)
    )

    assert settle(receipt=receipt, contract=past_due(plan=plan), purpose=Purpose.ARREARS).contract.status is status


@pytest.mark.rule("R-073", "R-078", "R-191")
def test_paid_arrears_open_the_content_of_the_unpaid_period(settle, past_due):
    plan = Plan.recurring("Gold", Money(3000, "JPY"), products=(Product("mag", ProductType.MONTHLY_MAGAZINE),))
    paid = License("lic-1", "con-1", "mag", "2024-10", "row-1", dt.date(2024, 10, 8))
    locked = attrs.evolve(paid, id="lic-2", scope="2024-11", entry_id="row-2", state=LicenseState.REVOKED)

    issued = settle(contract=past_due(plan=plan), purpose=Purpose.ARREARS, licences=[paid]).licences
    restored = settle(contract=past_due(plan=plan), purpose=Purpose.ARREARS, licences=[paid, locked]).licences

    assert [(new.scope, new.issued_on) for new in issued] == [("2024-11", dt.date(2024, 11, 20))]
    assert restored == (attrs.evolve(locked, state=LicenseState.ACTIVE),)


@pytest.mark.rule("R-187", "R-191")
def test_arrears_of_an_ended_contract_are_a_sale_and_nothing_more(settle, make_contract):
    contract = make_contract(status=Status.TERMINATED)

    done = settle(contract=contract, purpose=Purpose.ARREARS)

    assert done.contract == contract
    assert len(done.entries) == 1
    assert done.pay_period is None


@pytest.mark.rule("R-210", "R-266")
def test_the_audit_record_names_options_mails_and_both_expiry_dates(settle):
    (record,) = settle(renew_expiry=True, send_step_mail=True).audit

    assert isinstance(record, AuditRecord)
    assert record.before == {"expires_on": "2024-12-08"}
    assert record.after["expires_on"] == "2025-01-08"
    assert record.after["renew_expiry"] is True
    assert record.after["send_step_mail"] is True
    assert len(record.after["mails"]) == 1
    assert record.reason == "phone, 2024-11-20"


@pytest.mark.rule("R-266")
def test_resuming_by_arrears_has_an_audit_record_of_its_own(settle, past_due):
    charged, resumed = settle(contract=past_due(), purpose=Purpose.ARREARS).audit

    assert (charged.action, resumed.action) == ("charge_addon", "arrears_paid")
    assert (resumed.before["status"], resumed.after["status"]) == ("PAST_DUE", "ACTIVE")


@pytest.mark.rule("R-002")
def test_a_receipt_without_a_zone_is_refused(make_contract, make_charge, providers, rules, new_id):
    with pytest.raises(NaiveDatetime):
        settle_addon(make_contract(), make_charge(), providers["stripe"], rules, dt.datetime(2024, 1, 1), new_id)  # noqa: DTZ001


@pytest.mark.rule("R-032", "R-049")
def test_the_anchor_day_comes_back_after_a_short_month(settle, make_contract):
    contract = make_contract(start_on=dt.date(2024, 1, 31), expires_on=dt.date(2024, 2, 29))

    done = settle(receipt="2024-02-10 12:00:00", contract=contract, renew_expiry=True)

    assert done.contract.expires_on == dt.date(2024, 3, 31)


@pytest.mark.rule("R-008", "R-049")
@pytest.mark.parametrize(
    ("cycle", "expected"),
    [
        (Cycle.DAILY, "2024-11-21"), (Cycle.WEEKLY, "2024-11-26"), (Cycle.BIWEEKLY, "2024-12-03"),
        (Cycle.MONTHLY, "2024-12-08"), (Cycle.QUARTERLY, "2025-01-08"), (Cycle.SEMIANNUAL, "2025-04-08"),
        (Cycle.ANNUAL, "2025-10-08"),
    ],
)  # fmt: skip
def test_an_extension_reaches_the_next_renewal_day_of_every_cycle(settle, make_contract, cycle, expected):
    contract = make_contract(plan=Plan.recurring("Gold", Money(3000, "JPY"), cycle), expires_on=dt.date(2024, 10, 8))

    # the start date is no renewal day, so it counts as set by hand; its own grid is the same one
    assert settle(contract=contract, renew_expiry=True).contract.expires_on == dt.date.fromisoformat(expected)


@pytest.mark.rule("R-175", "R-193")
@pytest.mark.parametrize("state", ChargeState)
def test_an_attempt_without_a_result_is_open(make_charge, state):
    assert make_charge(state=state).open is (state in {ChargeState.PENDING, ChargeState.UNKNOWN})


@pytest.mark.rule("R-176", "R-193")
@pytest.mark.parametrize(
    ("state", "failure", "error"),
    [
        (ChargeState.UNKNOWN, None, OutcomeUnknown),
        (ChargeState.FAILED, Failure("card_declined", decline=DeclineClass.HARD), ChargeDeclined),
        (ChargeState.FAILED, Failure(sent=False), ProviderUnavailable),
        pytest.param(ChargeState.FAILED, Failure("dup", decline=DeclineClass.DUPLICATE), DuplicateCharge, marks=pytest.mark.rule("R-205")),
        pytest.param(ChargeState.FAILED, Failure("closed", decline=DeclineClass.PERMISSION), PermissionClosed, marks=pytest.mark.rule("R-222")),
    ],
)  # fmt: skip
def test_a_result_that_is_no_success_says_what_it_is(make_charge: "type[Charge]", state, failure, error):
    with pytest.raises(error):
        make_charge(state=state, failure=failure).raise_for_failure()


@pytest.mark.parametrize("state", [ChargeState.SUCCEEDED, ChargeState.PENDING])
def test_a_success_and_a_wait_are_no_failure(make_charge, state):
    make_charge(state=state).raise_for_failure()
