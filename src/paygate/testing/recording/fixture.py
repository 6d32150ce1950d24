"""How the fixture ``paygate_cassette`` finds its cassette, and whether it records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ... import _door
from .allowlist import AllowList, allow_list
from .cassette import Mode, Recording

__all__ = ["opened"]


def opened(request: pytest.FixtureRequest) -> Iterator[Recording]:
    """The test's cassette, at the door for as long as the test runs."""
    marker = request.node.get_closest_marker("paygate_cassette")
    if marker is None or len(marker.args) != 1:
        pytest.fail('say whose exchanges: @pytest.mark.paygate_cassette("univapay")', pytrace=False)
    provider = marker.args[0]
    allow = provider if isinstance(provider, AllowList) else allow_list(provider)
    options = {name: value for name, value in marker.kwargs.items() if name != "name"}
    name = marker.kwargs.get("name") or _name(request)
    path = request.path.parent / "cassettes" / request.path.stem / f"{name}.yaml"
    recording = Recording(Path(path), allow, mode=_mode(request.config), **options)
    failed = request.session.testsfailed
    with _door.posted(recording):
        yield recording
    if request.session.testsfailed == failed:
        recording.close()


def _name(request: pytest.FixtureRequest) -> str:
    """The test's name without its parameters: one cassette serves the sync driver and the async one."""
    function = getattr(request.node, "originalname", None) or request.node.name
    name = f"{request.cls.__name__}.{function}" if request.cls else function
    return re.sub(r"[^\w.-]", "-", name)


def _mode(config: pytest.Config) -> Mode:
    usual = Mode.by_environment()
    asked = config.getoption("--paygate-record")
    if asked is None:
        return usual
    if usual is Mode.NONE and asked != Mode.NONE.value:
        pytest.fail("--paygate-record: nothing is recorded under continuous integration (CI is set)", pytrace=False)
    return Mode(asked)
