import datetime as dt

import pytest

from paygate.domain.mails import MailSet, StepMailPlan, StepMailState, delete, due_mails, pause, queue, resume
from paygate.errors import InvalidValue, MailAlreadySent

RECEIPT = "2024-11-20 12:00:00"


@pytest.fixture
def mail(make_contract, new_id, at):
    """A mail due at 12:05:00."""
    plans = (StepMailPlan("thanks", MailSet.ON_RENEWAL, 300, "Thank you", "body"),)
    return queue(plans, MailSet.ON_RENEWAL, make_contract(), at(RECEIPT), new_id)[0]


@pytest.mark.rule("R-224", "R-225")
def test_a_set_is_queued_as_a_whole_and_no_other_set_with_it(make_contract, new_id, at):
    plans = (
        StepMailPlan("one", MailSet.ON_RENEWAL, 60),
        StepMailPlan("two", MailSet.ON_RENEWAL, 86_400),
        StepMailPlan("other", MailSet.ON_PAYMENT_COMPLETE, 60),
    )

    mails = queue(plans, MailSet.ON_RENEWAL, make_contract(), at(RECEIPT), new_id, charge_id="chg-1")

    assert [(mail.name, mail.due_at) for mail in mails] == [
        ("one", at("2024-11-20 12:01:00")),
        ("two", at("2024-11-21 12:00:00")),
    ]
    assert [due for _, due in due_mails(plans, MailSet.ON_RENEWAL, at(RECEIPT))] == [mail.due_at for mail in mails]
    assert {mail.charge_id for mail in mails} == {"chg-1"}


@pytest.mark.rule("R-226")
def test_a_waiting_mail_is_visible_in_the_queue(mail, at):
    assert (mail.state, mail.queued_at, mail.due_at) == (StepMailState.QUEUED, at(RECEIPT), at("2024-11-20 12:05:00"))
    assert (mail.subject, mail.customer_id, mail.contract_id) == ("Thank you", "cus-1", "con-1")


@pytest.mark.rule("R-228", "R-229")
@pytest.mark.parametrize(
    ("now", "fine"),
    [
        pytest.param("2024-11-20 12:04:59", True, marks=pytest.mark.rule("B-120")),
        pytest.param("2024-11-20 12:05:00", False, marks=pytest.mark.rule("B-121")),
        ("2024-11-20 12:05:01", False),
    ],
)
@pytest.mark.parametrize(("change", "state"), [(delete, StepMailState.DELETED), (pause, StepMailState.PAUSED)])
def test_a_mail_is_held_back_strictly_before_its_due_instant(mail, at, now, fine, change, state):
    if fine:
        assert change(mail, at(now)).state is state
    else:
        with pytest.raises(MailAlreadySent) as refused:
            change(mail, at(now))
        assert refused.value.rule == "R-229"


@pytest.mark.rule("R-227", "R-231", "B-122")
def test_a_paused_mail_set_running_late_is_due_at_once(mail, at):
    paused = pause(mail, at("2024-11-20 12:04:59"))

    running = resume(paused, at("2024-11-20 12:30:00"))

    assert (running.state, running.due_at) == (StepMailState.QUEUED, at("2024-11-20 12:30:00"))


@pytest.mark.rule("R-227")
def test_a_paused_mail_set_running_in_time_keeps_its_due_time(mail, at):
    assert resume(pause(mail, at("2024-11-20 12:01:00")), at("2024-11-20 12:02:00")) == mail


@pytest.mark.rule("R-227")
def test_setting_a_queued_mail_running_changes_nothing(mail, at):
    assert resume(mail, at("2024-11-20 12:02:00")) is mail


@pytest.mark.rule("R-227", "R-229")
def test_a_paused_mail_can_be_deleted_after_its_due_time(mail, at):
    paused = pause(mail, at("2024-11-20 12:04:59"))

    assert delete(paused, at("2024-11-20 13:00:00")).state is StepMailState.DELETED


@pytest.mark.rule("R-228")
def test_a_deleted_mail_stays_deleted(mail, at):
    gone = delete(mail, at("2024-11-20 12:01:00"))

    assert delete(gone, at("2024-11-20 12:02:00")) is gone
    for change in (pause, resume):
        with pytest.raises(InvalidValue):
            change(gone, at("2024-11-20 12:02:00"))


@pytest.mark.rule("R-230", "B-123")
def test_a_mail_without_delay_counts_as_sent_at_the_receipt(make_contract, new_id, at):
    plans = (StepMailPlan("now", MailSet.ON_RENEWAL),)

    (mail,) = queue(plans, MailSet.ON_RENEWAL, make_contract(), at(RECEIPT), new_id)

    assert (mail.state, mail.sent_at) == (StepMailState.SENT, at(RECEIPT))
    for change in (pause, delete, resume):
        with pytest.raises(MailAlreadySent):
            change(mail, at("2024-11-20 11:59:59"))


@pytest.mark.parametrize("delay", [-1, 1.5, True, dt.timedelta(minutes=5)])
def test_a_delay_is_a_whole_number_of_seconds(delay):
    with pytest.raises(InvalidValue):
        StepMailPlan("thanks", MailSet.ON_RENEWAL, delay)
