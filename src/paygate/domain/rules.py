"""The policy of one gateway: what is configured once and holds for every contract."""

from __future__ import annotations

import datetime as dt

import attrs

from ..clock import JST
from .mails import StepMailPlan

__all__ = ["SYSTEM_MAX_EXPIRY", "Rules"]

#: The largest expiry date that the system sets by itself, unless configured otherwise (R-055).
SYSTEM_MAX_EXPIRY = dt.date(2030, 12, 31)


@attrs.frozen
class Rules:
    """The gateway-wide policy.

    :param zone: the business zone in which days begin (R-001).
    :param system_max: the largest expiry date that is set automatically (R-053 to R-055).
    :param step_mails: the prepared mails of all sets (R-224).
    :param customer_charges: whether customers start additional charges on their own contracts, as on a page of the
        shop; otherwise administrators alone do (R-169, R-376).
    :param payment_due_days: days after which a payment that mails ask for is due (R-430).
    """

    zone: dt.tzinfo = JST
    system_max: dt.date = SYSTEM_MAX_EXPIRY
    step_mails: tuple[StepMailPlan, ...] = ()
    customer_charges: bool = False
    payment_due_days: int = 7
