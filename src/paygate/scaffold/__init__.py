"""A new plugin project, as ``paygate new`` writes it: complete, and right from the first second.

The files of ``project/`` are templates: ``$name`` and its like are filled in, ``PACKAGE`` in a path is the package's
name, and the ending ``.tmpl`` keeps tools from taking them for code of ours.
"""

from __future__ import annotations

import importlib.metadata
import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import attrs

from ..errors import InvalidValue

__all__ = ["Plugin", "write_project"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_WORD = re.compile(r"\w+")
_ENDING = ".tmpl"


@attrs.frozen
class Plugin:
    """The names of one new plugin, all made from one.

    :param name: of the provider: lower-case letters, digits and single hyphens, for example ``acme`` or ``acme-pay``.
    :param title: as people write it; made from *name* if left out.
    :raises InvalidValue: *name* cannot be one, or *title* is no plain line of text.

    >>> plugin = Plugin("acme-pay")
    >>> plugin.title, plugin.distribution, plugin.package, plugin.class_name
    ('Acme Pay', 'paygate-acme-pay', 'paygate_acme_pay', 'AcmePay')
    """

    name: str = attrs.field()
    title: str = attrs.field()

    @title.default
    def _readable(self) -> str:
        return " ".join(word.capitalize() for word in self.name.split("-"))

    @name.validator
    def _is_name(self, _: object, value: str) -> None:
        if not _NAME.fullmatch(value) or len(value) > _LONGEST:
            raise InvalidValue(
                f"{value!r} cannot name a provider: take lower-case letters, digits and single hyphens, "
                f"at most {_LONGEST}, and begin with a letter; for example acme or acme-pay"
            )

    @title.validator
    def _is_title(self, _: object, value: str) -> None:
        if not value.strip() or not value.isprintable() or set(value) & set("\"'\\$`{}"):
            raise InvalidValue(
                f"{value!r} cannot be the provider's display name: give one line of text without quotes, "
                "backslashes, braces and dollar signs"
            )

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return f"paygate-{self.name}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The provider's class."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    def values(self) -> dict[str, str]:
        """What the templates are filled with."""
        return {
            "name": self.name,
            "title": self.title,
            "distribution": self.distribution,
            "package": self.package,
            "class_name": self.class_name,
            "env": f"PAYGATE_{self.name.replace('-', '_').upper()}",
            "header": "-".join(word.capitalize() for word in self.name.split("-")),
            "host": f"api.{self.name}.example",
            "paygate_version": importlib.metadata.version("paygate"),
        }


def write_project(plugin: Plugin, folder: Path) -> list[Path]:
    """Write the project of *plugin* into *folder*, which is made if it is not there.

    :returns: the files that were written, relative to *folder*, sorted.
    :raises InvalidValue: *folder* is a file or has something in it, or the provider's class would be called like
        something that its own code uses; nothing was written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidValue(f"{folder} is there already and not empty; name another folder or remove it")
    templates = [
        (Path(path.replace("PACKAGE", plugin.package)), template.read_text(encoding="utf-8"))
        for path, template in _templates(resources.files(__package__) / "project")
    ]
    if keyword.iskeyword(plugin.class_name) or any(plugin.class_name in _WORD.findall(text) for _, text in templates):
        raise InvalidValue(
            f"a provider {plugin.name!r} would have a class {plugin.class_name}, which means something else in its code; "
            f"take a longer name, for example {plugin.name}-pay"
        )
    values = plugin.values()
    for path, text in templates:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(text).substitute(values), encoding="utf-8")
    return sorted(path for path, _ in templates)


def _templates(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    """The templates below *folder* with the paths of what they become."""
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_ENDING):
            found.append((prefix + entry.name.removesuffix(_ENDING), entry))
    return found
