"""Who may know whom, read from the source: a room imports itself and the rooms below it, and nothing else.

Imports inside functions and under ``TYPE_CHECKING`` count as well: knowing a type is knowing a room.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "paygate"

#: The modules and packages directly under ``paygate``. A new one has to be given a room here.
ROOMS: dict[str, set[str]] = {
    "base": {
        "_door",
        "_markers",
        "bounds",
        "capabilities",
        "catalogue",
        "checkout",
        "credential",
        "dispute",
        "clock",
        "error_texts",
        "errors",
        "evolving",
        "flow",
        "free_text",
        "ids",
        "label_texts",
        "masking",
        "money",
        "operator_texts",
        "provider",
        "settings",
        "subscription",
        "texts",
    },
    "domain": {"domain"},
    "labels": {"labels"},
    "networks": {"networks"},
    "hooks": {"hookspecs", "notices"},
    "store": {"store"},
    "drivers": {"drivers"},
    "messages": {"messages"},
    "plugins": {"plugins"},
    "billing": {"billing"},
    "gateway": {"gateway", "config", "_config_source"},
    "scaffold": {"scaffold"},
    "face": {"cli", "console", "web", "__main__"},
    "testing": {"testing"},
}

PURE_ROOMS = {"base", "domain", "labels", "networks", "hooks"}
WORKING_ROOMS = PURE_ROOMS | {"store", "drivers", "messages", "plugins"}

#: What each room may import beside itself. The store, the drivers and the plugins do not know each other.
BELOW: dict[str, set[str]] = {
    "base": set(),
    "domain": {"base"},
    "labels": {"base", "domain"},
    "networks": {"base", "domain"},
    "hooks": {"base", "domain"},
    "store": {"base", "domain", "hooks"},
    "drivers": {"base"},
    "messages": {"base", "domain", "drivers"},
    "plugins": {"base", "domain", "hooks", "messages"},
    "billing": WORKING_ROOMS,
    "gateway": WORKING_ROOMS | {"billing"},
    "front door": PURE_ROOMS | {"billing", "gateway"},
    "scaffold": {"base"},
    "face": WORKING_ROOMS | {"billing", "gateway", "scaffold", "front door"},
    "testing": WORKING_ROOMS | {"billing", "gateway", "front door"},
}

#: Modules of a face that may use the test kit: they run fakes and emulators on purpose.
MAY_USE_THE_TEST_KIT = ("paygate.cli.check", "paygate.cli.demo", "paygate.cli.emulate")

#: What the pure domain may use of other people's modules: nothing here opens, sends, waits, reads a clock or is random.
PURE = {
    "__future__",
    "attrs",
    "calendar",
    "collections",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "operator",
    "re",
    "typing",
}


@attrs.frozen
class Module:
    name: str
    path: Path

    def __str__(self) -> str:
        return self.name

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    def imports(self) -> Iterator[tuple[str, int]]:
        """Dotted names this module imports, with lines; ``from a import b`` gives ``a.b``."""
        package = self.parts if self.path.name == "__init__.py" else self.parts[:-1]
        for node in ast.walk(ast.parse(self.path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*base, *(node.module.split(".") if node.module else [])])
                yield from ((f"{source}.{alias.name}", node.lineno) for alias in node.names)


def modules(folder: Path) -> list[Module]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found.append(Module(".".join(parts).removesuffix(".__init__"), path))
    return found


CORE_MODULES = modules(CORE)
PLUGIN_MODULES = [
    module
    for package in sorted(ROOT.glob("plugins/*/src/paygate_*"))
    if package.is_dir()
    for module in modules(package)
]


def room(name: str) -> str:
    """The room of ``paygate.x.y`` (a module, or a name inside one); names of ``paygate`` itself are the front door."""
    top = [*name.split("."), ""][1]
    return next((room for room, members in ROOMS.items() if top in members), "front door")


def top_level(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def test_every_module_of_the_core_has_a_room() -> None:
    homeless = {module.name for module in CORE_MODULES if room(module.name) == "front door"} - {"paygate"}

    assert homeless == set()


@pytest.mark.parametrize("module", CORE_MODULES, ids=str)
def test_a_room_imports_only_rooms_below_it(module: Module) -> None:
    here = room(module.name)
    allowed = BELOW[here] | {here}
    if module.name.startswith(MAY_USE_THE_TEST_KIT):
        allowed = allowed | {"testing"}

    wrong = [
        f"{module.path.relative_to(ROOT)}:{line}: {here} may not import {name} ({room(name)})"
        for name, line in module.imports()
        if top_level(name) == "paygate" and room(name) not in allowed
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", CORE_MODULES, ids=str)
def test_the_core_imports_no_plugin(module: Module) -> None:
    assert [name for name, _ in module.imports() if top_level(name).startswith("paygate_")] == []


@pytest.mark.parametrize("module", [m for m in CORE_MODULES if room(m.name) == "domain"], ids=str)
def test_the_domain_does_no_input_or_output(module: Module) -> None:
    foreign = {top_level(name) for name, _ in module.imports()} - {"paygate"}

    assert foreign <= PURE


@pytest.mark.parametrize("module", [*CORE_MODULES, *PLUGIN_MODULES], ids=str)
def test_only_the_http_driver_knows_the_http_client(module: Module) -> None:
    clients = {"httpx", "httpx_aiohttp", "aiohttp", "requests", "urllib3"}
    used = {top_level(name) for name, _ in module.imports()} & clients

    assert module.name == "paygate.drivers.http" or not used


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_imports_only_public_names(module: Module) -> None:
    private = [
        f"{module.path.relative_to(ROOT)}:{line}: {name}"
        for name, line in module.imports()
        if top_level(name) == "paygate" and any(part.startswith("_") for part in name.split("."))
    ]

    assert not private, "\n".join(private)


@pytest.mark.parametrize("module", PLUGIN_MODULES, ids=str)
def test_a_plugin_does_not_need_the_test_kit(module: Module) -> None:
    assert [name for name, _ in module.imports() if name.startswith("paygate.testing")] == []
