"""The conformance kit on the plugin and its emulator."""

from paygate.testing.conformance import ProviderConformance
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate_univapay import UnivaPay


class TestUnivaPay(ProviderConformance):
    provider = UnivaPay
    emulator = UnivaPayEmulator
