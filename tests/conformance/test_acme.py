"""The reference: a plugin and an emulator that pass every case of the kit."""

from typing import ClassVar

from paygate.testing.conformance import ProviderConformance

from .acme import Acme, AcmeEmulator


class TestAcme(ProviderConformance):
    provider = Acme
    emulator = AcmeEmulator


class TestAcmeThatOwnsTheRenewals(ProviderConformance):
    provider = Acme
    emulator = AcmeEmulator
    settings: ClassVar = {"renewals": "provider"}


class TestAcmeWithoutAnEmulator(ProviderConformance):
    provider = Acme
