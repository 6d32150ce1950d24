"""All benchmarks, each a ratio within one run: ``make bench``. Never part of the tests; machines are noisy."""

from __future__ import annotations

import dispatch
import durable_charge
import import_cost


def main() -> None:
    import_cost.main()
    dispatch.main()
    durable_charge.main()


if __name__ == "__main__":
    main()
