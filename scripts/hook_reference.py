"""The reference of the hooks, made from :mod:`paygate.hookspecs`: each with its signature as heading and its docstring.

``docs/conf.py`` writes it into the page before Sphinx reads it; without options it is printed.
"""

from __future__ import annotations

import inspect
import re
import sys

from paygate import hookspecs

__all__ = ["page", "signature"]

_TITLES = {
    True: ("Provider hooks", "Answered by exactly one account's provider. Those that talk to the provider are flows."),
    False: ("Observer hooks", "Plain functions; every plugin may implement them."),
}


def signature(hook: str) -> str:
    """The call of *hook* as a plugin writes it: ``charge(request)``."""
    return f"{hook}({', '.join(inspect.signature(getattr(hookspecs, hook)).parameters)})"


def _summary(hook: str) -> str:
    """The first sentence of the docstring, without its marks for Sphinx."""
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""
    sentence = re.split(r"(?<=\.)\s", text.split("\n\n")[0], maxsplit=1)[0]
    return re.sub(r":\w+:`([^`]*)`", r"`\1`", sentence).replace("``", "`").replace("\n", " ")


def _in_order(*, provider: bool) -> list[str]:
    """The hooks of one kind in the order of the module, which is the order of a contract's life."""
    return [
        name for name in vars(hookspecs) if name in hookspecs.__all__ and (name in hookspecs.PROVIDER_HOOKS) is provider
    ]


def page() -> str:
    """The sections of both kinds as MyST Markdown."""
    lines: list[str] = []
    for provider, (title, introduction) in _TITLES.items():
        hooks = _in_order(provider=provider)
        lines += [f"## {title}", "", introduction, "", "| hook | |", "|---|---|"]
        lines += [f"| {{py:func}}`~paygate.hookspecs.{hook}` | {_summary(hook)} |" for hook in hooks]
        lines += [""]
        for hook in hooks:
            lines += [f"### {signature(hook)}", "", "```{eval-rst}"]
            lines += [f".. autofunction:: paygate.hookspecs.{hook}", "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
