"""The queue of step mails through the gateway (§6.21)."""

from __future__ import annotations

import attrs
import pytest

from paygate import Card, Customer, Gateway
from paygate.domain.contract import Actor
from paygate.domain.mails import StepMailState
from paygate.errors import InvalidValue, MailAlreadySent, PermissionDenied
from paygate.testing import StayPending

from .conftest import Observer


def queued(world):
    """A mail that is due five minutes after the receipt."""
    contract = world.contract("stripe")
    world.charge(contract, send_step_mail=True)
    mails = world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED)
    return contract, next(mail for mail in mails if mail.name == "thanks")


@pytest.mark.rule("R-226", "R-228", "R-211", "B-120")
def test_a_mail_deleted_a_second_before_it_is_due_is_never_sent(world):
    _, mail = queued(world)
    world.clock.set(mail.due_at.replace(second=mail.due_at.second))
    world.clock.advance(seconds=-1)

    world.gateway.step_mails.delete(mail.id)
    world.clock.advance(hours=1)

    assert world.gateway.step_mails.release().released == ()
    assert world.observer.of("mail") == []


@pytest.mark.rule("R-229", "B-121")
@pytest.mark.parametrize("verb", ["pause", "delete"])
def test_from_the_due_instant_on_a_mail_counts_as_sent(world, verb):
    _, mail = queued(world)
    world.clock.set(mail.due_at)

    with pytest.raises(MailAlreadySent):
        getattr(world.gateway.step_mails, verb)(mail.id)


@pytest.mark.rule("R-227", "R-231", "B-122")
def test_a_paused_mail_set_running_after_its_time_goes_out_at_the_next_release(world):
    contract, mail = queued(world)
    world.gateway.step_mails.pause(mail.id)
    world.clock.advance(minutes=30)
    assert world.gateway.step_mails.release().released == ()

    world.gateway.step_mails.resume(mail.id)
    released = world.gateway.step_mails.release().released

    assert released == (mail.id,)
    assert [notice.mail.id for notice in world.observer.of("mail")] == [mail.id]
    assert world.observer.of("mail")[0].customer.email == "cus_1@example.com"
    actions = [record.action for record in world.gateway.audit.list(contract_id=contract.id)]
    assert actions[-3:] == ["pause_step_mail", "resume_step_mail", "send_step_mail"]


@pytest.mark.rule("R-225", "R-232", "B-125")
def test_a_mail_is_released_at_its_due_instant_and_not_before_and_only_once(world):
    _, mail = queued(world)
    world.clock.set(mail.due_at)
    world.clock.advance(seconds=-1)
    assert world.gateway.step_mails.release().released == ()
    world.clock.advance(seconds=1)

    assert world.gateway.step_mails.release().released == (mail.id,)
    assert world.gateway.step_mails.release().released == ()
    assert len(world.observer.of("mail")) == 1


@pytest.mark.rule("R-232")
def test_a_pending_charge_queues_nothing(world):
    contract = world.contract("univapay")
    world.univapay.next(StayPending())

    world.charge(contract, send_step_mail=True)

    assert world.gateway.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).all() == []


@pytest.mark.rule("R-228")
def test_a_deleted_mail_cannot_be_set_running_again(world):
    _, mail = queued(world)
    world.gateway.step_mails.delete(mail.id)

    with pytest.raises(InvalidValue, match="for good"):
        world.gateway.step_mails.resume(mail.id)


@pytest.mark.rule("R-267")
def test_only_an_administrator_holds_mails_back(world):
    _, mail = queued(world)

    with pytest.raises(PermissionDenied):
        world.gateway.step_mails.delete(mail.id, actor=Actor.customer("cus_1"))


def test_without_a_plugin_that_delivers_mails_they_stay_queued_and_are_counted(world):
    contract, mail = queued(world)
    world.clock.advance(hours=1)

    with Gateway(database=world.url, providers={"stripe": world.stripe}, clock=world.clock) as plain:
        report = plain.step_mails.release()

        assert (report.released, report.undeliverable) == ((), 1)
        assert plain.step_mails.list(contract_id=contract.id, state=StepMailState.QUEUED).first().id == mail.id


@pytest.fixture
def plain(world):
    """The same shop without a plugin that delivers mails."""
    world.gateway.close()
    options = {**world.options, "plugins": []}
    with Gateway(**options) as gateway:
        yield attrs.evolve(world, gateway=gateway, options=options)


def mails(world, contract):
    return {mail.name: mail.state.value for mail in world.gateway.step_mails.list(contract_id=contract.id)}


@pytest.mark.rule("R-393", "R-230")
def test_without_a_plugin_a_mail_without_delay_waits_because_nobody_sends_it(plain):
    contract = plain.contract("stripe")

    assert mails(plain, contract) == {"welcome": "QUEUED"}
    assert plain.gateway.step_mails.release().undeliverable == 1


@pytest.mark.rule("R-393", "R-227", "R-228")
@pytest.mark.parametrize(("verb", "state"), [("pause", "PAUSED"), ("delete", "DELETED")])
def test_without_a_plugin_an_overdue_mail_can_be_held_back(plain, verb, state):
    contract, mail = queued(plain)
    plain.clock.advance(days=3)
    offered = {offer.operation.value for offer in plain.gateway.contracts.operations(contract.id) if offer.offered}

    changed = getattr(plain.gateway.step_mails, verb)(mail.id)

    assert changed.state.value == state
    assert {"pause_step_mail", "delete_step_mail"} <= offered


@pytest.mark.rule("R-393", "R-229")
@pytest.mark.parametrize(("minutes", "fine"), [(0, False), (9, False), (10, True)])
def test_with_a_plugin_a_mail_that_no_run_has_handed_over_can_be_held_back_a_little_later(world, minutes, fine):
    _, mail = queued(world)
    world.clock.set(mail.due_at)
    world.clock.advance(minutes=minutes)

    if fine:
        assert world.gateway.step_mails.pause(mail.id).state is StepMailState.PAUSED
    else:
        with pytest.raises(MailAlreadySent):
            world.gateway.step_mails.pause(mail.id)


@pytest.mark.rule("R-394")
@pytest.mark.parametrize(("days", "sent"), [(7, True), (8, False), (100, False)])
def test_a_plugin_that_is_added_later_does_not_send_what_is_long_overdue(plain, days, sent):
    contract, mail = queued(plain)
    plain.clock.set(mail.due_at)
    plain.clock.advance(days=days)
    observer = Observer()

    with Gateway(**{**plain.options, "plugins": [observer]}) as gateway:
        released = gateway.step_mails.release().released
        gateway.step_mails.release()
        state = next(one for one in gateway.step_mails.list(contract_id=contract.id) if one.id == mail.id).state

        assert (mail.id in released) is sent
        assert state is (StepMailState.SENT if sent else StepMailState.PAUSED)
        late = [notice for notice in observer.of("operator") if notice.code == "step_mails_late"]
        assert len(late) == 1  # the mail of the first payment is a few minutes older, and too old each time
        if not sent:
            gateway.step_mails.resume(mail.id)
            assert gateway.step_mails.release().released == (mail.id,)


def test_an_observer_that_raises_undoes_nothing_and_hears_of_it_again(world, monkeypatch):
    contract = world.contract("stripe")
    real = type(world.observer).on_charge_success
    broken = {"yes": True}

    def sometimes(self, notice):
        if broken["yes"]:
            raise RuntimeError("mail server down")
        real(self, notice)

    for impl in world.gateway._services.plugins._manager.hook.on_charge_success.get_hookimpls():
        monkeypatch.setattr(impl, "function", lambda notice: sometimes(world.observer, notice))
    charge = world.charge(contract)
    assert charge.state.value == "SUCCEEDED"
    assert world.observer.of("success") == []

    for _ in range(3):
        world.clock.advance(hours=1)
        world.gateway.billing.deliver()
    stuck = world.gateway.billing.stuck(attempts=3)
    broken["yes"] = False
    world.clock.advance(hours=2)
    delivery = world.gateway.billing.deliver()

    assert "mail server down" in stuck[0].last_error
    assert delivery.delivered == 1
    assert [notice.charge.id for notice in world.observer.of("success")] == [charge.id]
    assert world.gateway.billing.stuck(attempts=1) == ()


@pytest.mark.rule("R-234", "X-25")
def test_the_renewal_mail_of_a_recurring_contract_and_the_first_mail_of_a_purchase_carry_a_receipt(world):
    recurring, mail = queued(world)
    world.clock.advance(minutes=10)
    world.gateway.step_mails.release()
    renewal = world.observer.of("mail")[-1]
    world.gateway.contracts.create(Customer("cus_8"), world.one_off, Card("stripe", "pm_8"))
    purchase = world.observer.of("mail")[-1]
    world.gateway.contracts.create(Customer("cus_9"), world.plan, Card("stripe", "pm_9"))
    first_of_recurring = world.observer.of("mail")[-1]

    assert (renewal.mail.id, renewal.receipt.charge_id) == (mail.id, mail.charge_id)
    assert renewal.receipt.contract_id == recurring.id
    assert (purchase.mail.name, purchase.receipt.amount) == ("welcome", world.one_off.price)
    assert (first_of_recurring.mail.name, first_of_recurring.receipt) == ("welcome", None)
