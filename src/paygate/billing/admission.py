"""What a new contract must agree with, and what its coming into being fixes for good (R-019, X-24)."""

from __future__ import annotations

from ..domain.contract import Contract
from ..errors import WrongMode
from ..provider import Mode
from ..store import Session

__all__ = ["admit", "remember"]


def admit(session: Session, contract: Contract) -> None:
    """Refuse *contract*, which is about to be made, where earlier contracts stand against it.

    :raises InvalidValue: a product had another type when its first contract was made (R-019).
    :raises WrongMode: its account is in test mode and has had live contracts: there is no way back (X-24).
    """
    session.products.check(contract.plan)
    if contract.mode is Mode.TEST and contract.account and session.modes.of(contract.account) is Mode.LIVE:
        raise WrongMode(
            f"account {contract.account!r} has live contracts, so no test contract is made through it; give the test "
            "credentials an account and a database of their own"
        )


def remember(session: Session, contract: Contract) -> None:
    """Fix what the first contract of its kind fixes: the types of its products, and that its account is live."""
    session.products.remember(contract.plan)
    if contract.mode is not None and contract.account:
        session.modes.remember(contract.account, contract.mode)
