"""What is asked of a stored card is looked at by index, and read only where it says something."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from paygate import Money
from paygate.clock import JST
from paygate.domain.attempts import Attempt, plan_attempt
from paygate.domain.charge import ChargeState, Failure
from paygate.networks import load
from paygate.provider import DeclineClass
from paygate.store import Store

from .conftest import NOW, charge

SINCE = NOW - dt.timedelta(days=400)
YEN = Money(5000, "JPY")
SOFT = Failure("insufficient_funds", "no money", DeclineClass.SOFT)
NEVER_SENT = Failure("refused", "not sent", sent=False)


CARD = charge().credential_hash
PLAIN: dict[str, Any] = {
    "network": None,
    "advice_code": None,
    "response_code": None,
    "failure": None,
    "cleared_by": None,
}


def _keep(store: Store, name: str = "c1", **changes: Any) -> None:
    with store.write() as session:
        session.charges.insert(charge(name, **{**PLAIN, **changes}))


@pytest.mark.rule("R-331")
@pytest.mark.parametrize(
    ("changes", "tells"),
    [
        pytest.param({"state": ChargeState.SUCCEEDED}, False, id="it worked"),
        pytest.param({}, False, id="nobody knows yet"),
        pytest.param({"state": ChargeState.UNKNOWN}, False, id="nobody knows"),
        pytest.param({"state": ChargeState.FAILED, "failure": SOFT}, True, id="declined"),
        pytest.param({"state": ChargeState.FAILED, "failure": NEVER_SENT}, True, id="never sent"),
        pytest.param({"state": ChargeState.SUCCEEDED, "network": "visa"}, True, id="worked, and its network is known"),
        pytest.param(
            {"state": ChargeState.FAILED, "failure": SOFT, "created_at": NOW - dt.timedelta(days=4000)},
            True,
            id="declined years ago",
        ),
        pytest.param({"state": ChargeState.FAILED, "failure": SOFT, "account": "other"}, False, id="another account"),
        pytest.param({"state": ChargeState.FAILED, "failure": SOFT, "credential_hash": "f"}, False, id="another card"),
    ],
)
def test_a_card_that_tells_nothing_is_one_that_its_history_does_not_hold_back(
    shop: Store, changes: dict[str, Any], tells: bool
) -> None:
    _keep(shop, **changes)
    with shop.read() as session:
        seen = session.cards.look("univapay", CARD, YEN)
        history = session.cards.attempts("univapay", CARD)
    assert seen.tells is tells
    if not tells:
        plan = plan_attempt(history, YEN, load("strict"), NOW, JST)
        assert (plan.next_at, plan.because, plan.forbidden_by) == (NOW, (), None)


def test_attempts_read_alone_are_those_read_with_their_charges(shop: Store) -> None:
    _keep(shop, "c1", state=ChargeState.FAILED, failure=SOFT, network="visa", advice_code="try")
    _keep(shop, "c2", state=ChargeState.FAILED, failure=SOFT, response_code="51")
    _keep(shop, "c3", state=ChargeState.FAILED, failure=NEVER_SENT)
    _keep(shop, "c4", state=ChargeState.SUCCEEDED, created_at=NOW + dt.timedelta(days=1))
    with shop.read() as session:
        charges = session.cards.charges("univapay", CARD, SINCE)
        reached = [one for one in charges if one.id != "c3"]
        assert session.cards.attempts("univapay", CARD) == [Attempt.of(one) for one in reached]
    assert charges[-1].id == "c4"
    assert len(charges) == 4
