"""Providers in process: what the real ones declare, what a test scripts, and a book of what really happened."""

from .amazonpay import AMAZONPAY_CAPABILITIES, FakeAmazonPay
from .base import Codes, FakeProvider, FakeSettings, HookCall
from .memory import fingerprint
from .outcomes import (
    AnswerTwice,
    ClosePermission,
    Decline,
    FailLate,
    NeverThere,
    RefuseRefund,
    RemoveCredential,
    RequireAction,
    StayPending,
    Succeed,
    Vanish,
)
from .stripe import STRIPE_CAPABILITIES, FakeStripe
from .telecom import TELECOM_CAPABILITIES, FakeTelecom
from .univapay import UNIVAPAY_CAPABILITIES, FakeUnivaPay

__all__ = [
    "AMAZONPAY_CAPABILITIES",
    "STRIPE_CAPABILITIES",
    "TELECOM_CAPABILITIES",
    "UNIVAPAY_CAPABILITIES",
    "AnswerTwice",
    "ClosePermission",
    "Codes",
    "Decline",
    "FailLate",
    "FakeAmazonPay",
    "FakeProvider",
    "FakeSettings",
    "FakeStripe",
    "FakeTelecom",
    "FakeUnivaPay",
    "HookCall",
    "NeverThere",
    "RefuseRefund",
    "RemoveCredential",
    "RequireAction",
    "StayPending",
    "Succeed",
    "Vanish",
    "fingerprint",
]
