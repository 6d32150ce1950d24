"""Finding emulators: paygate's own and those that packages bring."""

from __future__ import annotations

import sys

import pytest

from paygate.errors import PluginError
from paygate.testing.emulators import EMULATORS, Emulator, available, load


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package whose entry points are the given lines."""

    def install(*lines):
        folder = tmp_path / "paygate_acme-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: paygate-acme\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[paygate.emulators]\n" + "\n".join(lines) + "\n")
        (tmp_path / "acme_emulator.py").write_text(
            "from paygate.testing.emulators.univapay import UnivaPayEmulator\n"
            "class AcmeEmulator(UnivaPayEmulator):\n    name = 'acme'\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install
    sys.modules.pop("acme_emulator", None)


@pytest.mark.parametrize("name", sorted(EMULATORS))
def test_an_emulator_of_paygates_own_is_loaded_by_name(name):
    assert issubclass(load(name), Emulator)
    assert load(name).name == name


def test_an_emulator_of_another_package_is_listed_and_loaded(installed):
    installed("acme = acme_emulator:AcmeEmulator")

    assert set(available()) == {*EMULATORS, "acme"}
    assert load("acme").name == "acme"


def test_nobody_takes_over_the_name_of_one_of_paygates_own(installed):
    installed("stripe = acme_emulator:AcmeEmulator")

    assert available()["stripe"] == EMULATORS["stripe"]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("acme = acme_emulator:Missing", "AttributeError"),
        ("acme = no_such_module:Acme", "ModuleNotFoundError"),
        ("acme = json:dumps", "not a subclass"),
        ("acme = json:JSONDecoder", "not a subclass"),
    ],
)
def test_one_that_cannot_be_loaded_is_an_error_that_names_it(installed, entry, why):
    installed(entry)

    with pytest.raises(PluginError, match="'acme'") as caught:
        load("acme")
    assert why in str(caught.value)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(PluginError, match="did you mean 'stripe'") as caught:
        load("strip")
    assert all(name in str(caught.value) for name in EMULATORS)
    with pytest.raises(PluginError, match="no emulator 'zzz'; there are"):
        load("zzz")
