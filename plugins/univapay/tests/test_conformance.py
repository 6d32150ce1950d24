"""The conformance kit on the plugin and its emulator, with either way of renewing."""

from paygate.testing.conformance import ProviderConformance
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay


class TestUnivaPay(ProviderConformance):
    provider = UnivaPay
    emulator = UnivaPayEmulator


class TestUnivaPayOwningRenewals(ProviderConformance):
    provider = UnivaPay
    emulator = UnivaPayEmulator
    settings = {"renewals": "provider"}  # noqa: RUF012 - the kit's own way of naming settings
