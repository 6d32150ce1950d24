"""The fakes keep what they declare."""

from typing import ClassVar

from paygate.testing import FakeAmazonPay, FakeStripe, FakeTelecom, FakeUnivaPay
from paygate.testing.conformance import ProviderConformance


class TestFakeUnivaPay(ProviderConformance):
    provider = FakeUnivaPay


class TestFakeTelecom(ProviderConformance):
    provider = FakeTelecom


class TestFakeStripe(ProviderConformance):
    provider = FakeStripe


class TestFakeAmazonPay(ProviderConformance):
    provider = FakeAmazonPay


class TestFakeStripeThatOwnsTheRenewals(ProviderConformance):
    provider = FakeStripe
    settings: ClassVar = {"renewals": "provider"}


class TestFakeUnivaPayThatOwnsTheRenewals(ProviderConformance):
    provider = FakeUnivaPay
    settings: ClassVar = {"renewals": "provider"}
