"""The reference of the conformance cases, from the cases themselves, as Markdown.

``docs/conf.py`` includes it when the documentation is built.
"""

from __future__ import annotations

from paygate.testing.conformance import Case, Group, ProviderConformance, cases_of
from paygate.testing.conformance.live import LiveSuite

__all__ = ["page"]


def page() -> str:
    """One section per group, one entry per case."""
    cases = [one for suite in (ProviderConformance, LiveSuite) for one in cases_of(suite).values()]
    lines: list[str] = []
    for group in Group:
        within = [one for one in cases if one.group is group]
        lines += [f"## {group.title}", "", f"Level {group.level.value}, {len(within)} cases.", ""]
        lines += [line for one in within for line in entry(one)]
    return "\n".join(lines)


def entry(case: Case) -> list[str]:
    """One case as a definition list."""
    needs = ", ".join(need.value for need in case.needs)
    about = [f": {case.why}", "", f": *How to fix it:* {case.fix}", ""]
    return [f"**{case.id}** {case.claim}", "", *about, *([f": *Needs:* {needs}.", ""] if needs else [])]


if __name__ == "__main__":
    print(page())
