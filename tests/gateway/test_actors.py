"""Who acts is checked before anything is done: what is noted with a record has to be readable for ever (R-266, R-297)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from paygate import Actor, AsyncGateway, Gateway
from paygate.errors import InvalidValue
from paygate.testing import FakeStripe

RESOURCES = ("billing", "charges", "checkouts", "contracts", "refunds", "step_mails")
NO_ACTORS = ["alice", None, 5, b"admin", Actor("admin", "alice"), Actor.admin(None), Actor.customer(7)]  # type: ignore[arg-type]


def with_actor(kind: type[Gateway]) -> Iterator[tuple[str, str]]:
    gateway = kind(database="sqlite://", providers={"stripe": FakeStripe()})
    for resource in RESOURCES:
        for name, method in inspect.getmembers(getattr(gateway, resource), callable):
            if not name.startswith("_") and "actor" in inspect.signature(method).parameters:
                yield resource, name
    gateway.close()


METHODS = list(with_actor(Gateway))


@pytest.mark.rule("R-297")
@pytest.mark.parametrize("no_actor", NO_ACTORS)
@pytest.mark.parametrize(("resource", "name"), METHODS)
def test_no_method_takes_anything_else_for_an_actor(resource: str, name: str, no_actor: Any) -> None:
    with Gateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
        with pytest.raises(InvalidValue, match="Actor"):
            getattr(getattr(gateway, resource), name)(actor=no_actor)
        assert list(gateway.audit.list()) == []


@pytest.mark.rule("R-297")
@pytest.mark.parametrize(("resource", "name"), METHODS)
def test_nor_does_the_asynchronous_face(resource: str, name: str) -> None:
    async def ask() -> None:
        async with AsyncGateway(database="sqlite://", providers={"stripe": FakeStripe()}) as gateway:
            with pytest.raises(InvalidValue, match="Actor"):
                await getattr(getattr(gateway, resource), name)(actor="alice")

    asyncio.run(ask())


@pytest.mark.rule("R-297")
def test_methods_with_an_actor_are_found_at_all() -> None:
    assert {("billing", "restored"), ("contracts", "create"), ("refunds", "create")} <= set(METHODS)
