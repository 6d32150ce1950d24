"""How the documentation is built: ``make docs``; warnings are errors."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "scripts"))

import cli_reference  # noqa: E402 - found through the path above
import conformance_cases  # noqa: E402
import hook_reference  # noqa: E402
import rules_without_tests as rules  # noqa: E402

project = "paygate"
author = "the paygate authors"
copyright = author  # noqa: A001 - the name that Sphinx reads
version = release = installed_version("paygate")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "decisions/template.md"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__, __weakref__"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"paygate {release}"


def _rules_page() -> str:
    """Every rule with its title and the tests that hold it."""
    path = DOCS / "rules.toml"
    known, titles = rules.load_rules(path), rules.section_titles(path)
    tests = rules.by_rule(rules.collect(ROOT))
    lines: list[str] = []
    section = None
    for rule in known.values():
        if rule.section != section:
            section = rule.section
            lines += ["", f"## {titles[section]}", ""]
        lines.append(f"**{rule.id}** {rule.title}\n")
        lines += [f": `{citation}`\n" for citation in tests.get(rule.id, [])] or [": *no test cites it*\n"]
    return "\n".join(lines)


def _write_generated_pages(_app: object, _config: object) -> None:
    generated = DOCS / "_build" / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    (generated / "rules.md").write_text(_rules_page(), encoding="utf-8")
    (generated / "cli.md").write_text(cli_reference.page(), encoding="utf-8")
    (generated / "conformance.md").write_text(conformance_cases.page(), encoding="utf-8")
    (generated / "hooks.md").write_text(hook_reference.page(), encoding="utf-8")


def setup(app: Any) -> None:
    """Make the generated pages before Sphinx reads the written ones."""
    app.connect("config-inited", _write_generated_pages)
