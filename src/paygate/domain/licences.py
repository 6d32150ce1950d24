"""Licences: the right to view a product's content (§6.8)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable

import attrs

from .contract import Contract, Product, ProductType

__all__ = ["License", "LicenseState", "issue", "remove", "restore", "revoke"]

ALL = "all"


class LicenseState(enum.Enum):
    """REVOKED by suspension comes back; REMOVED by a refund is gone for good (R-083)."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    REMOVED = "REMOVED"


@attrs.frozen
class License:
    """One licence. *scope*: ``"all"``, a target month ``"YYYY-MM"``, or ``"#n"`` for the n-th content of an unlock product."""

    id: str
    contract_id: str
    product: str
    scope: str
    entry_id: str
    issued_on: dt.date
    state: LicenseState = LicenseState.ACTIVE


def issue(
    contract: Contract,
    period_start: dt.date,
    entry_id: str,
    issued_before: Iterable[License],
    new_id: Callable[[], str],
    *,
    issued_on: dt.date | None = None,
) -> tuple[License, ...]:
    """The new licences of the paid period that begins on *period_start* (R-073).

    Magazine and school products open the target month, unlock products the next content in order, all-you-can-read and
    bought products everything, once. A bought unlock product opens its first content at the purchase; the further ones
    have days of their own, see :mod:`~paygate.domain.unlocking` (R-082).

    :param entry_id: the ledger row that pays for them; a row issues at most once per product.
    :param issued_before: all licences of the contract so far, removed ones included: what is gone does not come back.
    :param issued_on: business date to record; by default *period_start*.
    """
    before: dict[str, list[License]] = {}
    for known in issued_before:
        before.setdefault(known.product, []).append(known)
    return tuple(
        License(new_id(), contract.id, product.code, scope, entry_id, issued_on or period_start)
        for product in contract.plan.products
        for scope in _new_scopes(product, period_start, entry_id, before.get(product.code, []))
    )


def _new_scopes(product: Product, day: dt.date, entry_id: str, before: list[License]) -> tuple[str, ...]:
    match product.type:
        case ProductType.BUYOUT | ProductType.MONTHLY_ALL_ACCESS:
            return () if before else (ALL,)
        case ProductType.BUYOUT_UNLOCK:
            return () if before else ("#1",)
        case ProductType.MONTHLY_UNLOCK | ProductType.MONTHLY_MAGAZINE | ProductType.MONTHLY_SCHOOL:
            if any(known.entry_id == entry_id for known in before):
                return ()
            return (f"#{len(before) + 1}" if product.type is ProductType.MONTHLY_UNLOCK else f"{day:%Y-%m}",)


def revoke(contract: Contract, licences: Iterable[License], entry_id: str) -> tuple[License, ...]:
    """The licences that suspension locks: those of the unpaid period's row (R-074).

    What was bought for good stays, even if the same row paid for it (R-077); earlier periods stay (R-075). Products
    that open everything are closed by the status instead (R-076).
    """
    monthly = {product.code for product in contract.plan.products if product.type.monthly}
    return tuple(
        attrs.evolve(known, state=LicenseState.REVOKED)
        for known in licences
        if known.entry_id == entry_id
        and known.state is LicenseState.ACTIVE
        and known.product in monthly
        and known.scope != ALL
    )


def restore(licences: Iterable[License]) -> tuple[License, ...]:
    """The licences that resumption opens again: exactly those that are locked, none that is removed (R-078, R-083)."""
    return tuple(
        attrs.evolve(known, state=LicenseState.ACTIVE) for known in licences if known.state is LicenseState.REVOKED
    )


def remove(licences: Iterable[License], entry_id: str | None = None) -> tuple[License, ...]:
    """The licences that are gone for good: of one refunded row, or of the whole undone contract (R-081, R-083, R-242)."""
    return tuple(
        attrs.evolve(known, state=LicenseState.REMOVED)
        for known in licences
        if known.state is not LicenseState.REMOVED and entry_id in {None, known.entry_id}
    )
