"""How much the emulated Stripe grows with renewals."""

from __future__ import annotations

import tracemalloc
from typing import Any

from paygate.testing.emulators.stripe import StripeEmulator

Shop = Any

SUBSCRIPTIONS = 50


def test_a_month_of_renewals_leaves_less_than_five_kilobytes_each_behind(shop: Shop, emulator: StripeEmulator) -> None:
    tracemalloc.start()
    try:
        for _ in range(SUBSCRIPTIONS):
            shop.subscribe()
        shop.wait(days=31)  # from here on the events of a month fall away while those of the next are made
        emulator.journal.clear()
        before, _ = tracemalloc.get_traced_memory()
        shop.wait(days=31)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(emulator.book.captures) == 3 * SUBSCRIPTIONS
    assert (after - before) / SUBSCRIPTIONS < 5 * 1024
