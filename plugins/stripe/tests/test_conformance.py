"""The conformance kit on the plugin and its emulator, and its cases about subscriptions where Stripe owns the renewals."""

from paygate.testing.conformance import ProviderConformance
from paygate.testing.conformance.cases.subscriptions import Subscriptions
from paygate.testing.emulators.stripe import StripeEmulator
from paygate_stripe import Stripe


class TestStripe(ProviderConformance):
    provider = Stripe
    emulator = StripeEmulator


class TestStripeOwningRenewals(Subscriptions):
    provider = Stripe
    emulator = StripeEmulator
    settings = {"renewals": "provider"}  # noqa: RUF012 - the kit's own way of naming settings
