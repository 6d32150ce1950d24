"""What may stay readable in a cassette, per provider: everything that is not named here is replaced.

paygate knows UnivaPay and Stripe. A plugin of your own declares a value and names it in its package's metadata::

    [project.entry-points."paygate.recordings"]
    acme = "paygate_acme.recordings:ALLOWED"
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points

import attrs

from ...errors import PluginError

__all__ = ["GROUP", "AllowList", "allow_list"]

#: Entry point group by which other packages name their lists; the value is an :class:`AllowList`.
GROUP = "paygate.recordings"


def _words(value: str | Iterable[str]) -> frozenset[str]:
    return frozenset(value.split() if isinstance(value, str) else value)


@attrs.frozen(kw_only=True)
class AllowList:
    """Names of what is kept; each may be given as one text with blanks between. Headers are lower-case.

    A name counts at any depth of JSON, forms and query strings. An object is entered where its own name is in one of the
    lists, else it is emptied. Kept text is still searched for card numbers, credentials and e-mail addresses.

    :param provider: the provider's name.
    :param headers: headers whose values are kept.
    :param keep: fields whose values are kept: amounts, states, codes, times. No free text, no names, no addresses.
    :param ids: fields and headers that hold ids, each of which is replaced by the same made-up one throughout the
        cassette.
    :param links: fields that hold a URL, of which scheme and host are kept.
    :param words: segments of paths that are kept, beside versions such as ``v1``; the others are taken for ids.
    """

    provider: str
    headers: frozenset[str] = attrs.field(default=frozenset(), converter=_words)
    keep: frozenset[str] = attrs.field(default=frozenset(), converter=_words)
    ids: frozenset[str] = attrs.field(default=frozenset(), converter=_words)
    links: frozenset[str] = attrs.field(default=frozenset(), converter=_words)
    words: frozenset[str] = attrs.field(default=frozenset(), converter=_words)

    def knows(self, name: str) -> bool:
        """Whether the field *name* is in one of the lists."""
        return name in self.keep or name in self.ids or name in self.links


def allow_list(provider: str) -> AllowList:
    """The list for *provider*: paygate's own, or that of an installed package.

    :raises PluginError: there is none; the message says how to declare one.
    """
    from .lists import SHIPPED  # noqa: PLC0415 - the lists are long

    if provider in SHIPPED:
        return SHIPPED[provider]
    entry = next(iter(entry_points(group=GROUP, name=provider)), None)
    if entry is None:
        raise PluginError(
            f"no allow-list says what a recording of {provider!r} may hold; declare an AllowList as entry point "
            f"{provider!r} of the group {GROUP!r}, or give it instead of the name (known: {', '.join(sorted(SHIPPED))})"
        )
    found = entry.load()
    if not isinstance(found, AllowList):
        raise PluginError(f"entry point {provider!r} of {GROUP!r}: {entry.value!r} is not an AllowList")
    return found
