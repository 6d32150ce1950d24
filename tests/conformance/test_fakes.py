"""The fakes keep what they declare."""

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
