"""The emulated UnivaPay: cards, charges, refunds, cancels, subscriptions and webhooks of its HTTP interface.

Behaves as the provider fact sheet says; what that leaves open is in :mod:`.assumptions`.
"""

from .assumptions import Behaviour
from .auth import Credentials
from .emulator import GOOD_CARD, UnivaPayEmulator
from .records import ChargePlan

__all__ = ["GOOD_CARD", "Behaviour", "ChargePlan", "Credentials", "UnivaPayEmulator"]
