"""Random trouble on the wire: seeded, and never where it could not happen."""

from __future__ import annotations

from collections import Counter

import pytest

from paygate.errors import InvalidValue, OutcomeUnknown, ProviderUnavailable
from paygate.testing import Decline, FakeStripe, Faults
from paygate.testing.fakes import NeverThere, Vanish


def strikes(seed: int, n: int = 400) -> list[object]:
    faults = Faults(seed, never_there=0.1, lost_before=0.1, lost_after=0.1)
    return [faults.strike(moves_money=True) for _ in range(n)]


def test_equal_seeds_strike_alike_and_others_differently():
    assert strikes(1) == strikes(1) != strikes(2)


def test_every_kind_of_fault_strikes_and_most_calls_pass():
    counts = Counter(strikes(1))

    assert set(counts) == {None, NeverThere(), Vanish(after=False), Vanish(after=True)}
    assert counts.most_common(1)[0][0] is None


def test_a_look_up_is_never_lost_in_a_way_that_could_matter():
    faults = Faults(1, never_there=0.2, lost_before=0.4, lost_after=0.4)

    assert {faults.strike(moves_money=False) for _ in range(100)} == {None, NeverThere()}


@pytest.mark.parametrize("shares", [{"never_there": -0.1}, {"lost_before": 0.6, "lost_after": 0.5}])
def test_shares_are_between_nothing_and_everything(shares):
    with pytest.raises(InvalidValue, match="between 0 and 1"):
        Faults(1, **shares)


def test_a_fault_strikes_whatever_is_scripted(at):
    desk = at(FakeStripe())
    desk.fake.faults = Faults(1, lost_after=1)
    desk.fake.next(Decline())

    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            desk.charge()

    assert len(desk.fake.book.captures) == 1  # the first was declined, the second taken


def test_an_unreachable_provider_answers_no_look_up_and_no_ping(at):
    desk = at(FakeStripe())
    request = desk.request()
    desk.charge(request)
    desk.fake.faults = Faults(1, never_there=1)
    assert desk.fake.faults is not None

    with pytest.raises(ProviderUnavailable):
        desk.find(request)
    with pytest.raises(ProviderUnavailable):
        desk.ping()
    desk.fake.faults = None

    assert desk.ping() == "Stripe: a fake with 1 payments"
    assert [call.hook for call in desk.fake.calls] == ["charge", "find_charge", "ping", "ping"]
