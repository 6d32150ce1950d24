"""The two faces are one: same names, same signatures, and ``sync`` is what is made of ``aio``."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from paygate import AsyncGateway, Gateway
from paygate.testing import FakeStripe

ROOT = Path(__file__).parents[2]
NAMESPACES = ["contracts", "charges", "refunds", "ledger", "step_mails", "billing", "webhooks", "providers", "audit"]


@pytest.fixture
def pair():
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
        yield gateway, AsyncGateway(database="sqlite://", providers={"stripe": FakeStripe()})


def signature(function: object) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


def public(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_each_namespace_has_the_same_methods_with_the_same_signatures(pair, namespace):
    sync, aio = (getattr(face, namespace) for face in pair)

    assert public(sync) == public(aio)
    for name in public(sync):
        assert signature(getattr(sync, name)) == signature(getattr(aio, name)), name


def test_the_gateways_differ_only_in_how_they_close(pair):
    sync, aio = pair

    assert public(sync) - {"close"} == public(aio) - {"aclose"}
    assert signature(Gateway) == signature(AsyncGateway)
    assert signature(Gateway.open) == signature(AsyncGateway.open)


def test_the_sync_face_is_generated_from_the_async_one():
    subprocess.run([sys.executable, ROOT / "scripts" / "make_sync_gateway.py", "--check"], check=True)


def test_the_front_door_opens_every_name_it_lists():
    import paygate

    for name in paygate.__all__:
        assert getattr(paygate, name) is not None
    with pytest.raises(AttributeError, match="Gatewy"):
        _ = paygate.Gatewy
