"""How much the emulated Stripe grows (the benchmark of the emulators measures it over HTTP, and the time as well)."""

from __future__ import annotations

import tracemalloc
from typing import Any

from paygate.testing.emulators.stripe import StripeEmulator

Client = Any

CHARGES = 150


def test_a_charge_leaves_less_than_five_kilobytes_behind(client: Client, emulator: StripeEmulator, card: str) -> None:
    def charge(number: int) -> None:
        metadata = {"paygate_charge": f"{number:032x}", "paygate_contract": f"{number + 1:032x}"}
        client.charge(card, 500 + number, key=f"{number:032x}", metadata=metadata)

    for number in range(50):
        charge(number)
    emulator.journal.clear()  # it has bounds of its own
    tracemalloc.start()
    try:
        for number in range(50, 50 + CHARGES):
            charge(number)
        emulator.journal.clear()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(emulator.book.captures) == 50 + CHARGES
    assert grown / CHARGES < 5 * 1024
