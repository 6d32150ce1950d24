"""The recorded agreement to a charge: how, when and by whom (R-188, R-395)."""

import datetime as dt

import pytest

from paygate import JST, Money
from paygate.domain.charge import Consent
from paygate.domain.contract import Actor
from paygate.errors import ConsentRequired, InvalidValue, NaiveDatetime

YEN = Money(700, "JPY")
YESTERDAY = dt.datetime(2026, 1, 14, 9, 30, tzinfo=JST)


@pytest.mark.rule("R-395", "R-188", "X-10")
@pytest.mark.parametrize("consent", [" phone ", Consent("phone")])
def test_what_is_left_open_is_now_and_whoever_charges(world, consent):
    contract = world.contract("stripe")

    charge = world.gateway.charges.create(contract.id, YEN, consent=consent, actor=Actor.admin("sato"))

    assert charge.consent == Consent("phone", charge.created_at, "sato")
    assert world.gateway.charges.get(charge.id).consent == charge.consent


@pytest.mark.rule("R-395")
def test_what_is_said_is_kept(world):
    contract = world.contract("stripe")
    given = Consent("form 12", YESTERDAY, "call centre")

    charge = world.gateway.charges.create(contract.id, YEN, consent=given)

    assert charge.consent == given


@pytest.mark.rule("R-395", "R-190")
def test_a_repeat_under_its_key_a_day_later_is_still_a_repeat(world):
    contract = world.contract("stripe")
    first = world.gateway.charges.create(contract.id, YEN, consent="phone", idempotency_key="k")
    world.clock.advance(days=1)

    assert world.gateway.charges.create(contract.id, YEN, consent="phone", idempotency_key="k").id == first.id


@pytest.mark.rule("R-395", "R-002")
@pytest.mark.parametrize(
    ("consent", "error"),
    [
        (Consent("phone", dt.datetime(2026, 1, 16, tzinfo=JST)), InvalidValue),
        (Consent("phone", dt.datetime(2026, 1, 14)), NaiveDatetime),  # noqa: DTZ001
        (Consent("phone", "yesterday"), InvalidValue),
        (Consent(None), InvalidValue),
        (7, InvalidValue),
        (Consent("  "), ConsentRequired),
        (None, ConsentRequired),
    ],
)
def test_a_consent_that_cannot_be_is_refused_and_nothing_is_sent(world, consent, error):
    contract = world.contract("stripe")

    for call in (world.gateway.charges.preview, world.gateway.charges.create):
        with pytest.raises(error):
            call(contract.id, YEN, consent=consent)
    assert world.stripe.calls == []
