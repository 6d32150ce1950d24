"""All benchmarks, each a ratio within one run: ``make bench``. Never part of the tests; machines are noisy."""

from __future__ import annotations

import billing_run
import charge_cpu
import decisions
import dispatch
import due_contracts
import durable_charge
import emulator_load
import import_cost
import pytest_plugin


def main() -> None:
    import_cost.main()
    pytest_plugin.main()
    dispatch.main()
    durable_charge.main()
    charge_cpu.main()
    decisions.main()
    due_contracts.main()
    billing_run.main()
    emulator_load.main()


if __name__ == "__main__":
    main()
