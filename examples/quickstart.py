"""Quick start: a contract, an additional charge with the customer's agreement, and money back in part.

Runs without account and network: the provider is a fake that refuses what the real one refuses. For the real one,
install ``paygate-univapay`` and put ``UnivaPay(UnivaPaySettings(...))`` in its place; nothing else changes.
"""

from __future__ import annotations

from paygate import Card, Customer, Cycle, Gateway, Money, Plan
from paygate.testing import FakeStripe


def main() -> None:
    """Open a gateway, charge, refund, print."""
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
        contract = gateway.contracts.create(
            Customer("cus-42", "山田 花子", "hanako@example.com"),
            Plan.recurring("Gold", Money(3000, "JPY"), Cycle.MONTHLY),
            Card("stripe", "pm_hanako"),
        )
        preview = gateway.charges.preview(contract.id, Money(5000, "JPY"), consent="phone, today")
        print(f"{preview.provider} would charge {preview.amount}; the expiry stays {preview.expires_on_after}")

        charge = gateway.charges.create(
            contract.id, Money(5000, "JPY"), renew_expiry=False, consent="phone, today", idempotency_key="order-77"
        )
        charge = gateway.charges.wait(charge.id)
        print(f"charge of {charge.amount}: {charge.state.value}")

        refund = gateway.refunds.create(charge.id, Money(2000, "JPY"), idempotency_key="rma-9")
        print(f"refund of {refund.amount}: {refund.state.value}; net sales {gateway.ledger.net(contract.id)}")


if __name__ == "__main__":
    main()
