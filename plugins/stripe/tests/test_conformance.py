"""The conformance kit on the plugin and its emulator, with either way of renewing."""

from paygate.testing.conformance import ProviderConformance
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe


class TestStripe(ProviderConformance):
    provider = Stripe
    emulator = StripeEmulator


class TestStripeOwningRenewals(ProviderConformance):
    provider = Stripe
    emulator = StripeEmulator
    settings = {"renewals": "provider"}  # noqa: RUF012 - the kit's own way of naming settings
