import pytest

from paygate.domain.contract import ActorKind, Status
from paygate.domain.operations import TABLE, Operation
from paygate.domain.transitions import TRANSITIONS, Event, allowed, find

ROWS = [row for rows in TRANSITIONS.values() for row in rows]
EVENTS = {event.value for event in Event}


@pytest.mark.rule("R-025")
def test_every_row_of_the_table_is_there_under_its_number():
    numbers = {row.id for row in ROWS}

    assert numbers == {
        f"T-{number}"
        for number in [
            "01",
            "02",
            "03",
            "04",
            "05",
            "06",
            "07",
            "10",
            "11",
            "12",
            "13",
            "14",
            "15",
            "20",
            "21",
            "22",
            "23",
            "24",
            "25",
            "26",
            "30",
            "31",
            "32",
            "40",
            "41",
            "42",
            "43",
            "44",
            "45",
            "46",
            "47",
            "50",
            "51",
            "52",
            "60",
            "61",
            "62",
            "63",
            "64",
            "65",
            "66",
            "67",
            "68",
            "69",
            "6A",
            "6B",
            "70",
            "71",
            "72",
            "73",
            "74",
            "75",
            "76",
            "77",
            "80",
            "81",
            "82",
            "90",
            "91",
            "92",
            "93",
            "94",
        ]
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_names_actors_and_rules(row):
    assert row.actors
    assert all(rule.startswith("R-") and len(rule) == 5 for rule in row.rules)
    assert row.rules


@pytest.mark.rule("R-022")
@pytest.mark.parametrize("ended", [Status.TERMINATED, Status.CANCELED])
@pytest.mark.parametrize("after", Status)
def test_nothing_leads_out_of_an_ended_contract(ended, after):
    assert allowed(ended, after) is (after is ended)


@pytest.mark.rule("R-022", "R-252")
@pytest.mark.parametrize("status", Status)
def test_every_contract_can_be_deleted_and_nothing_else_removes_it(status):
    assert [event for event in Event if find(status, event, None)] == [Event.DELETE]


@pytest.mark.rule("R-021")
@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SPECIAL_PERIOD, Status.PAST_DUE, Status.CANCEL_SCHEDULED])
def test_a_one_off_status_and_a_recurring_one_never_lead_to_each_other(status):
    assert not allowed(Status.ESTABLISHED, status)
    assert not allowed(status, Status.ESTABLISHED)
    assert not allowed(Status.ESTABLISHED, Status.TERMINATED)


@pytest.mark.rule("R-115")
def test_a_suspension_goes_back_or_on_to_the_end():
    assert {after for after in Status if allowed(Status.PAST_DUE, after)} == {
        Status.PAST_DUE,
        Status.ACTIVE,
        Status.SPECIAL_PERIOD,
        Status.CANCEL_SCHEDULED,
        Status.TERMINATED,
    }


@pytest.mark.rule("R-013")
def test_a_card_contract_never_begins_by_waiting():
    assert find(None, Event.FIRST_CHARGE_SUCCEEDED, Status.ACTIVE)
    assert not find(None, Event.FIRST_CHARGE_SUCCEEDED, Status.PENDING_PAYMENT)
    assert find(None, Event.FIRST_CHARGE_FAILED, None)
    assert not any(find(None, Event.FIRST_CHARGE_FAILED, status) for status in Status)


@pytest.mark.rule("R-179", "R-178")
@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_an_additional_charge_leaves_every_status_as_it_is(before, after):
    assert bool(find(before, Event.ADDON_SETTLED, after)) is (before is after)


@pytest.mark.rule("R-246", "R-057", "R-059")
@pytest.mark.parametrize("event", [Event.REFUND_ENTRY, Event.SET_EXPIRY, Event.EXPIRY_PASSED, Event.REPEATED_EVENT])
@pytest.mark.parametrize("status", Status)
def test_refunds_and_expiry_leave_every_status_as_it_is(event, status):
    assert [after for after in Status if find(status, event, after)] == [status]


@pytest.mark.parametrize("operation", [operation for operation in Operation if operation.value in EVENTS])
def test_an_operation_leads_somewhere_from_exactly_the_statuses_that_offer_it(operation):
    moving = {status for row in TRANSITIONS[Event(operation.value)] for status in row.sources}

    if operation is Operation.MARK_MANUAL_REFUND_DONE:
        assert moving == {Status.CANCELED}  # elsewhere it belongs to a refund of a row, which T-92 covers
    elif operation in {Operation.SET_EXPIRY, Operation.SET_PRODUCT_END, Operation.REFUND_ENTRY}:
        assert moving >= set(TABLE[operation])  # T-92 says "any": whatever the status, it stays
    else:
        assert moving == set(TABLE[operation])


@pytest.mark.rule("R-158")
def test_only_card_events_come_from_the_provider_or_from_days():
    automatic = {row.event for row in ROWS if row.actors <= {ActorKind.PROVIDER, ActorKind.SCHEDULER}}

    assert Event.SUSPEND not in automatic
    assert Event.RESUME not in automatic
    assert Event.CONFIRM_PAYMENT not in automatic
