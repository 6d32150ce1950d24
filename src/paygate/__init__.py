"""One contract and billing API in front of many payment providers, telling the truth about each of them.

Everything an integrator needs is here; importing it is cheap, the rest loads on first use.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._markers import hookimpl
    from .billing.importing import NewContract
    from .clock import JST, UTC
    from .domain.charge import Charge, ChargeState, Consent, CustomerAction, Purpose, Refund, RefundState
    from .domain.contract import (
        Actor,
        BankTransfer,
        Card,
        Contract,
        Customer,
        Cycle,
        Manual,
        Plan,
        Product,
        ProductType,
        Status,
    )
    from .domain.mails import MailSet, StepMailPlan
    from .gateway import AsyncGateway, Gateway
    from .money import Money
    from .provider import Capabilities, CheckoutState, Provider
    from .settings import secret

__all__ = [
    "JST",
    "UTC",
    "Actor",
    "AsyncGateway",
    "BankTransfer",
    "Capabilities",
    "Card",
    "Charge",
    "ChargeState",
    "CheckoutState",
    "Consent",
    "Contract",
    "Customer",
    "CustomerAction",
    "Cycle",
    "Gateway",
    "MailSet",
    "Manual",
    "Money",
    "NewContract",
    "Plan",
    "Product",
    "ProductType",
    "Provider",
    "Purpose",
    "Refund",
    "RefundState",
    "Status",
    "StepMailPlan",
    "hookimpl",
    "secret",
]

_HOMES = {
    **dict.fromkeys(("Gateway", "AsyncGateway"), "gateway"),
    **dict.fromkeys(("JST", "UTC"), "clock"),
    **dict.fromkeys(("Charge", "ChargeState", "Consent", "CustomerAction", "Purpose", "Refund", "RefundState"), "domain.charge"),
    **dict.fromkeys(
        (
            "Actor", "BankTransfer", "Card", "Contract", "Customer", "Cycle", "Manual", "Plan", "Product", "ProductType",
            "Status",
        ),
        "domain.contract",
    ),
    **dict.fromkeys(("MailSet", "StepMailPlan"), "domain.mails"),
    **dict.fromkeys(("Capabilities", "CheckoutState", "Provider"), "provider"),
    "Money": "money",
    "NewContract": "billing.importing",
    "hookimpl": "_markers",
    "secret": "settings",
}  # fmt: skip


# An application that configures logging hears paygate; one that does not is left in peace.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:  # PEP 562
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
