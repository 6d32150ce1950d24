import datetime as dt
import json

import attrs
import pytest

from paygate.domain.audit import change
from paygate.domain.contract import Actor, Cancellation, CancellationOrigin, PastDue, Status


@pytest.fixture
def recorded(at):
    def recorded(before, after, **more):
        return change(
            before, after, id="aud-1", at=at("2024-11-20 12:00:00"), actor=Actor.admin("ito"), action="x", **more
        )

    return recorded


@pytest.mark.rule("R-266")
def test_a_record_holds_only_what_differs_old_beside_new(make_contract, recorded):
    before = make_contract()

    record = recorded(before, attrs.evolve(before, status=Status.TERMINATED, ended_on=dt.date(2024, 11, 20)))

    assert record.before == {"status": "ACTIVE", "ended_on": None}
    assert record.after == {"status": "TERMINATED", "ended_on": "2024-11-20"}
    assert (record.contract_id, record.actor) == ("con-1", Actor.admin("ito"))


@pytest.mark.rule("R-266")
def test_the_record_of_a_new_contract_has_nothing_before(make_contract, recorded):
    record = recorded(None, make_contract(), facts={"paid": True}, reason="application")

    assert record.before == {}
    assert (record.after["status"], record.after["paid"], record.reason) == ("ACTIVE", True, "application")


@pytest.mark.rule("R-168", "R-266")
def test_a_record_is_plain_json_without_the_stored_credential(make_contract, recorded, at):
    notice = Cancellation(CancellationOrigin.ADMIN, at("2024-11-20 12:00:00"), Actor.admin(), dt.date(2024, 12, 8))
    missing = PastDue(at("2024-11-08 07:00:00"), dt.date(2024, 11, 8), failures=2)

    record = recorded(None, make_contract(credential="tok-secret", cancellation=notice, past_due=missing))

    text = json.dumps([dict(record.before), dict(record.after)])
    assert "tok-secret" not in text
    assert "ADMIN effective 2024-12-08" in text
    assert "failures: 2" in text


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        (Actor.admin("ito"), "admin:ito"),
        (Actor.customer("cus-1"), "customer:cus-1"),
        (Actor.provider("main"), "provider:main"),
        (Actor.scheduler(), "scheduler:scheduler"),
    ],
)
def test_an_actor_names_itself(actor, text):
    assert str(actor) == text


@pytest.mark.rule("R-031")
def test_a_contract_keeps_its_anchor_day_and_its_plans_name(make_contract):
    contract = make_contract(start_on=dt.date(2024, 1, 31))

    assert (contract.anchor_day, contract.name) == (31, "Gold")
