"""One contract after another lives through operations, events and days at random; what must always hold is looked at after
each step (domain §2.1 invariants, §4, design §6)."""

import datetime as dt
import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paygate.clock import JST, business_date
from paygate.domain.access import access
from paygate.domain.cancelling import cancel, cancel_and_refund, cancel_with_manual_refund
from paygate.domain.charge import Charge, ChargeKind, ChargeState, Consent, Purpose
from paygate.domain.charging import AddonCommand, ChargeFacts, decide_addon, settle_addon
from paygate.domain.contract import (
    Actor,
    BankTransfer,
    Card,
    Customer,
    Cycle,
    Manual,
    Plan,
    Product,
    ProductType,
    Status,
)
from paygate.domain.creation import activate, confirm_payment, decide_creation
from paygate.domain.deleting import plan_deletion
from paygate.domain.due import StepKind, due_steps, next_due_on
from paygate.domain.dunning import USUAL_RETRIES, RetrySchedule
from paygate.domain.ending import last_day_of_use, revoke_cancellation, schedule_cancellation, terminate
from paygate.domain.expiry import set_expiry
from paygate.domain.failing import FailedAttempt, fail, subscription_ended
from paygate.domain.ledger import EntryKind, EntryState, net_sales
from paygate.domain.operations import Facts, Operation, operations
from paygate.domain.renewal import end, renew, schedule_product_end, start
from paygate.domain.rules import Rules
from paygate.domain.running import next_renewal_on
from paygate.domain.suspending import remind, resume, suspend
from paygate.domain.transitions import TRANSITIONS, allowed
from paygate.domain.unlocking import unlock
from paygate.errors import OperationNotAllowed, PaygateError, PermissionDenied
from paygate.money import Money
from paygate.provider import Capabilities, RefundPolicy, Renewals

RULES = Rules()
ADMIN, CUSTOMER, PROVIDER = Actor.admin("ito"), Actor.customer("cus-1"), Actor.provider("main")
ONE_OFF_ONLY = {Status.ESTABLISHED}
RECURRING_ONLY = {
    Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE, Status.CANCEL_SCHEDULED, Status.TERMINATED,
}  # fmt: skip
ENDED = {Status.TERMINATED, Status.CANCELED}
#: Operations that end a contract; done less often, so that the others get their turn.
FINAL = {
    Operation.CANCEL, Operation.CANCEL_AND_REFUND, Operation.CANCEL_WITH_MANUAL_REFUND, Operation.TERMINATE,
}  # fmt: skip
BY_CUSTOMERS = {Operation.SCHEDULE_CANCELLATION, Operation.REVOKE_CANCELLATION}
_ROWS, _LICENCES, _KNOWN = "entries", "licences", "capabilities"
DECISIONS = {
    Operation.CANCEL: (cancel, (_KNOWN, _ROWS, _LICENCES)),
    Operation.CANCEL_AND_REFUND: (cancel_and_refund, (_KNOWN, _ROWS, _LICENCES)),
    Operation.CANCEL_WITH_MANUAL_REFUND: (cancel_with_manual_refund, (_ROWS, _LICENCES)),
    Operation.CONFIRM_PAYMENT: (
        lambda contract, now, rules, new_id, actor: confirm_payment(contract, rules, now, new_id, actor=actor),
        (),
    ),
    Operation.SUSPEND: (suspend, (_ROWS, _LICENCES)),
    Operation.RESUME: (resume, (_ROWS, _LICENCES)),
    Operation.SCHEDULE_CANCELLATION: (schedule_cancellation, (_KNOWN,)),
    Operation.REVOKE_CANCELLATION: (revoke_cancellation, (_KNOWN,)),
    Operation.TERMINATE: (terminate, (_KNOWN, _ROWS)),
    Operation.SEND_DUNNING_MAIL: (remind, ()),
}
#: What may move the expiry; everything else leaves it exactly as it is (R-057).
MOVES_EXPIRY = {
    "create", "confirm_payment", "start", "renew", "resume", "late_payment", "set_expiry", "charge_addon",
    "cancel", "cancel_and_refund", "cancel_with_manual_refund",
}  # fmt: skip
ROWS = {row.id: [one for rows in TRANSITIONS.values() for one in rows if one.id == row.id]
        for rows in TRANSITIONS.values() for row in rows}  # fmt: skip


def yen(amount):
    return Money(amount, "JPY")


def plans():
    products = st.lists(st.sampled_from([kind for kind in ProductType if kind.monthly] + [ProductType.BUYOUT, ProductType.BUYOUT_UNLOCK]), max_size=3, unique=True)  # fmt: skip
    recurring = st.builds(
        lambda cycle, fee, special, kinds, end_month: Plan.recurring(
            "Club", yen(3000), cycle, initial_fee=fee, special_price=yen(1000), special_periods=special,
            products=tuple(Product(kind.value, kind, end_month) for kind in (*kinds, ProductType.MONTHLY_MAGAZINE)),
        ),
        st.sampled_from([Cycle.WEEKLY, Cycle.MONTHLY, Cycle.QUARTERLY]),
        st.sampled_from([None, yen(0), yen(500)]),
        st.integers(0, 3),
        products.map(lambda kinds: [kind for kind in kinds if kind is not ProductType.MONTHLY_MAGAZINE]),
        st.sampled_from([None, None, "2024-03", "2024-06"]),
    )  # fmt: skip
    book = Product("book", ProductType.BUYOUT)
    course = Product("course", ProductType.BUYOUT_UNLOCK, unlock_interval=Cycle.WEEKLY)
    bought = st.sampled_from([(book,), (book, course)])
    return st.one_of(
        recurring, recurring, recurring, bought.map(lambda them: Plan.one_off("Book", yen(8000), products=them))
    )


class Life(RuleBasedStateMachine):
    """Everything that can be done to one contract, with the facts that a store would keep beside it."""

    @initialize(
        plan=plans(),
        payment=st.sampled_from([Card("main", "tok-1"), Card("main", "tok-1"), BankTransfer(), Manual()]),
        day=st.dates(dt.date(2024, 1, 27), dt.date(2024, 3, 2)),
        ahead=st.sampled_from([0, 0, 0, 1, 20]),
        renewals=st.sampled_from([Renewals.MERCHANT, Renewals.PROVIDER]),
        refunds=st.sampled_from([RefundPolicy.PARTIAL, RefundPolicy.BY_HAND]),
        schedule=st.sampled_from([USUAL_RETRIES, RetrySchedule.evenly(Cycle.WEEKLY, 3)]),
    )
    def apply_for_it(self, plan, payment, day, ahead, renewals, refunds, schedule):
        numbers = itertools.count(1)
        self.new_id = lambda: f"id-{next(numbers)}"
        self.now = dt.datetime.combine(day, dt.time(9), JST)
        self.schedule = schedule
        known = Capabilities("Provider", renewals=renewals, refunds=refunds)
        self.capabilities = known if isinstance(payment, Card) else None
        self.entries, self.licences, self.paid_at = {}, {}, None
        creation = decide_creation(
            Customer("cus-1"), plan, payment, day + dt.timedelta(days=ahead), self.capabilities, RULES, self.now, ADMIN,
            contract_id="con-1",
            elsewhere=self.capabilities is not None and plan.is_recurring and renewals is Renewals.PROVIDER,
        )  # fmt: skip
        self.contract = creation.contract
        if creation.charge_now or creation.activate_now:
            charge = self.charge(ChargeKind.INITIAL, creation.due) if creation.charge_now else None
            done = activate(
                self.contract,
                self.now,
                RULES,
                self.new_id,
                charge=charge,
                capabilities=self.capabilities,
                action="create",
            )
            self.write(done, new=True)

    # --- keeping books -----------------------------------------------------------------------------------------------

    def charge(self, kind, amount, **more):
        self.paid_at = self.now
        return Charge(
            self.new_id(), "con-1", "cus-1", "main", kind, amount, "key", "f", ChargeState.SUCCEEDED,
            created_at=self.now, charged_at=self.now, reference=self.new_id(), actor=ADMIN, **more,
        )  # fmt: skip

    def write(self, done, *, new=False):
        """Take *done* over, if it is a step that may happen."""
        before, after = self.contract, done.contract
        source = None if new else before.status
        assert allowed(source, after.status), f"{source} → {after.status}"
        assert source not in ENDED or after.status is source
        assert done.audit, "a step without a record"
        turns = [record for record in done.audit if "status" in record.after]
        assert len(turns) == (source is not after.status), "one record for one change of status"
        if done.transition is not None:
            taken = ROWS[done.transition]
            assert any(row.leads(source, after.status) for row in taken)
            assert any(record.actor.kind in row.actors for row in taken for record in done.audit)
        actions = {record.action for record in done.audit}
        if not actions & MOVES_EXPIRY:
            assert after.expires_on == before.expires_on
        elif before.expires_on and after.expires_on and "set_expiry" not in actions:
            assert after.expires_on >= before.expires_on, "nothing shortens the paid time by itself"
        self.contract = after
        for row in (*done.entries, *done.changed):
            self.entries[row.id] = row
        for decision in done.refunds:
            self.entries[decision.entry.id] = decision.entry
            self.entries[decision.refund_entry.id] = decision.refund_entry
        self.licences |= {licence.id: licence for licence in done.licences}

    def rows(self):
        return tuple(self.entries.values())

    def facts(self):
        return Facts(
            last_paid_at=self.paid_at,
            refundable=any(row.kind.sale and row.state is EntryState.SUCCEEDED for row in self.rows()),
        )

    def do(self, operation, actor=ADMIN):
        """Decide *operation* with the facts as they are."""
        more = {"capabilities": self.capabilities, "entries": self.rows(), "licences": tuple(self.licences.values())}
        function, names = DECISIONS[operation]
        given = {name: more[name] for name in names}
        return function(self.contract, self.now, RULES, self.new_id, actor=actor, **given)

    def offers(self):
        paid = any(row.kind.sale and row.state is EntryState.SUCCEEDED for row in self.rows())
        facts = Facts(last_paid_at=self.paid_at, refundable=paid)
        known = operations(self.contract, self.now, RULES, capabilities=self.capabilities, facts=facts)
        return {offer.operation: offer for offer in known if offer.operation in DECISIONS}

    # --- days ----------------------------------------------------------------------------------------------------

    def wait_until(self, day, seconds=0):
        self.now = max(self.now, dt.datetime.combine(day, dt.time(), JST) + dt.timedelta(seconds=seconds))

    def run(self, *, declined=False):
        while due := due_steps(self.contract, self.now, RULES):
            self.carry_out(due[0], declined=declined)

    @rule(days=st.integers(0, 40), seconds=st.sampled_from([0, 1, 10_800, 86_399]))
    def days_pass(self, days, seconds):
        self.wait_until(business_date(self.now) + dt.timedelta(days=days), seconds)

    @rule(declined=st.booleans())
    def a_run_comes(self, declined):
        self.run(declined=declined)

    @rule(periods=st.integers(1, 4), seconds=st.sampled_from([-1, 0, 10_800, 200_000]), declined=st.booleans())
    def periods_go_by(self, periods, seconds, declined):
        """The runs of some periods come, just before their day, on it or late; the last charge may be declined."""
        for n in range(periods):
            on = next_due_on(self.contract)
            if on is None:
                return
            self.wait_until(on, seconds)
            self.run(declined=declined and n == periods - 1)

    def carry_out(self, step, *, declined):
        if step.kind is StepKind.CANCELLATION:
            self.write(end(self.contract, step.on, self.now, RULES, self.new_id))
        elif step.kind is StepKind.UNLOCK:
            known = tuple(self.licences.values())
            self.write(unlock(self.contract, step.on, self.now, RULES, self.new_id, licences=known))
        elif step.kind is StepKind.PRODUCT_END:
            self.write(schedule_product_end(self.contract, self.now, self.new_id))
        elif self.contract.is_card and step.price and declined:
            self.fails(FailedAttempt(step.on))
        else:
            charged = self.contract.is_card and bool(step.price)
            more = {"charge": self.charge(ChargeKind.PERIOD, step.price)} if charged else {}
            if step.kind is StepKind.START:
                books = tuple(self.entries.values())
                self.write(start(self.contract, self.now, RULES, self.new_id, entries=books, **more))
            else:
                known = tuple(self.licences.values())
                self.write(renew(self.contract, step.on, self.now, RULES, self.new_id, licences=known, **more))

    # --- operations --------------------------------------------------------------------------------------------------

    @rule(data=st.data(), bold=st.sampled_from([False, False, False, True]), by_customer=st.booleans())
    def something_that_is_offered_is_done(self, data, bold, by_customer):
        free = [name for name, offer in self.offers().items() if not offer.reason and (bold or name not in FINAL)]
        if not free:
            return
        operation = data.draw(st.sampled_from(sorted(free, key=lambda name: name.value)))
        self.write(self.do(operation, CUSTOMER if by_customer and operation in BY_CUSTOMERS else ADMIN))

    @rule()
    def nothing_that_is_not_offered_can_be_done(self):
        for operation, offer in self.offers().items():
            if offer.reason:
                with pytest.raises(OperationNotAllowed) as refused:
                    self.do(operation)
                assert refused.value.rule
            with pytest.raises(PermissionDenied):
                self.do(operation, Actor.customer("cus-2"))

    @precondition(lambda self: self.contract.status not in {Status.PENDING_PAYMENT, Status.CANCELED})
    @rule(days=st.integers(-40, 80))
    def set_expiry(self, days):
        to = business_date(self.now) + dt.timedelta(days=days)
        self.write(set_expiry(self.contract, to, actor=ADMIN, now=self.now, new_id=self.new_id))

    @rule(purpose=st.sampled_from(Purpose), extend=st.booleans())
    def charge_additionally(self, purpose, extend):
        command = AddonCommand(yen(700), extend, consent=Consent("phone"), purpose=purpose, actor=ADMIN)
        try:
            decide_addon(self.contract, command, self.capabilities, ChargeFacts(self.paid_at), RULES, self.now)
        except PaygateError:
            return
        charge = self.charge(ChargeKind.ADDON, yen(700), purpose=purpose, renew_expiry=extend, consent=Consent("phone"))
        known = tuple(self.licences.values())
        self.write(settle_addon(self.contract, charge, self.capabilities, RULES, self.now, self.new_id, licences=known))

    @rule()
    def look_at_what_deleting_would_do(self):
        deletion = plan_deletion(
            self.contract, self.now, RULES, self.new_id, actor=ADMIN, capabilities=self.capabilities, entries=()
        )
        assert deletion.refunds == ()

    # --- news from the provider --------------------------------------------------------------------------------------

    def fails(self, attempt):
        more = {"actor": PROVIDER, "schedule": self.schedule}
        self.write(fail(self.contract, attempt, self.now, RULES, self.new_id, **more))

    def periods(self):
        """The period that is missing, the running one and the next."""
        missing = self.contract.past_due
        begun = self.contract.period_start or self.contract.start_on
        return [missing.period_start if missing else begun, begun, next_renewal_on(self.contract, begun)]

    @precondition(lambda self: self.contract.is_card and self.contract.plan.cycle is not None)
    @rule(which=st.integers(0, 2), number=st.sampled_from([None, 1, 2, 3, 4]))
    def an_attempt_fails(self, which, number):
        self.fails(FailedAttempt(self.periods()[which], number))

    @precondition(lambda self: self.contract.is_card and self.contract.plan.cycle is not None)
    @precondition(lambda self: self.contract.status is not Status.NOT_STARTED)
    @rule(which=st.integers(0, 2))
    def an_attempt_succeeds(self, which):
        on = self.periods()[which]
        if on > business_date(self.now):
            return
        charge, known = self.charge(ChargeKind.PERIOD, yen(3000)), tuple(self.licences.values())
        done = renew(self.contract, on, self.now, RULES, self.new_id, charge=charge, licences=known)
        self.write(done)
        assert any(row.charge_id == charge.id for row in done.entries), "money without a row"

    @precondition(lambda self: self.contract.is_card)
    @rule(really=st.sampled_from([False, False, False, True]))
    def the_provider_ends_its_subscription(self, really):
        if not really and self.contract.status not in ENDED:
            return
        self.write(subscription_ended(self.contract, self.now, RULES, self.new_id, actor=PROVIDER, entries=self.rows()))

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def a_status_fits_the_plan(self):
        recurring = self.contract.plan.is_recurring
        assert self.contract.status not in (ONE_OFF_ONLY if recurring else RECURRING_ONLY)

    @invariant()
    def details_are_there_exactly_where_the_status_needs_them(self):
        contract, status = self.contract, self.contract.status
        assert (contract.past_due is not None) == (status is Status.PAST_DUE)
        assert (contract.ended_on is not None) == (status in ENDED)
        if status is not Status.PAST_DUE:
            assert (contract.cancellation is not None) == (status is Status.CANCEL_SCHEDULED)
        assert (contract.period_start is not None) or status in {
            Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.CANCELED, Status.PAST_DUE, Status.TERMINATED,
        }  # fmt: skip
        waiting = status in {Status.PENDING_PAYMENT, Status.CANCELED}
        assert (contract.expires_on is None) == waiting
        assert (last_day_of_use(contract) is not None) == (contract.cancellation is not None)

    @invariant()
    def a_period_is_sold_once(self):
        sold = [
            row.target_on for row in self.rows() if row.kind is EntryKind.PERIOD and row.state is not EntryState.VOID
        ]
        assert len(sold) == len(set(sold))
        assert net_sales(self.rows()) >= 0

    @invariant()
    def the_index_of_due_work_agrees_with_the_work(self):
        on, today = next_due_on(self.contract), business_date(self.now)
        assert bool(due_steps(self.contract, self.now, RULES)) == (on is not None and on <= today)

    @invariant()
    def what_is_undone_or_not_begun_opens_nothing(self):
        closed = {Status.PENDING_PAYMENT, Status.NOT_STARTED, Status.CANCELED}
        if self.contract.status in closed:
            known = tuple(self.licences.values())
            assert not any(opening.open for opening in access(self.contract, known, self.now, RULES))


Life.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.rule("R-020", "R-021", "R-022", "R-023", "R-024", "R-025", "R-057", "R-266", "X-01")
class TestLife(Life.TestCase):
    """Any order of operations, events and days."""
