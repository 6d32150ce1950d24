"""Templates: read and checked once, then filled with facts.

A file is called ``<event>.<audience>.txt`` in a folder named after the language, for example
``ja/renewal_failed.customer.txt``. Its first line is ``Subject: …``, the second is empty, the rest is the body. Of a body,
a line is left out when it has placeholders and none of them is known, so that an optional fact takes its label along.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

import attrs

from ..catalogue import shown
from ..domain.contract import PaymentMethod
from ..domain.followup import Next
from ..errors import ConfigurationError, InvalidValue
from .events import MAILS, PLACEHOLDERS, SENTENCES, Audience, Event, Facts, Language
from .wording import (
    advice_text,
    card_request_text,
    consequence_text,
    guarded,
    next_text,
    one_line,
    refund_note_text,
    transfer_text,
)

__all__ = ["Message", "Templates", "check_text", "render_text"]

#: Facts that come from the seller's own settings, and whose long digits are no card numbers.
_SETTINGS = frozenset({"receipt_url", "card_change_url", "contract_url", "transfer_details", *SENTENCES})
_HEAD = "Subject:"
_LINK = re.compile(r"https?://[!-~]+")


@attrs.frozen
class Message:
    """A mail's words. The subject is one line; the body ends with a line break."""

    subject: str
    body: str = attrs.field(repr=False)


@attrs.frozen
class Templates:
    """All mails in all languages. Make it with :meth:`load`."""

    _texts: Mapping[tuple[Language, Event, Audience], Message] = attrs.field(repr=False)

    @classmethod
    def load(cls, directory: Path | None = None) -> Templates:
        """The templates that ship with paygate, replaced by those of the same names in *directory*.

        :raises ConfigurationError: the directory is missing, a file in it replaces nothing, has no subject or cannot be
            read, or a text has an unknown placeholder. The message names the file, and the placeholder.
        """
        own = {
            (language, event, audience): _file_name(language, event, audience)
            for language in Language
            for event, audience in MAILS
        }
        replaced = _replacements(directory, set(own.values())) if directory is not None else {}
        shipped = resources.files(__package__) / "texts"
        return cls(
            {
                key: _parse(
                    replaced[name][0] if name in replaced else name,
                    replaced[name][1] if name in replaced else (shipped / name).read_text(encoding="utf-8"),
                )
                for key, name in own.items()
            }
        )

    def render(self, event: Event, audience: Audience, language: Language, facts: Facts) -> Message:
        """The mail that tells *audience* of *event*.

        :raises InvalidValue: there is no such mail (domain §3.4), or a fact that it cannot do without is missing.
        """
        needed = MAILS.get((event, audience))
        if needed is None:
            raise InvalidValue(f"no mail tells the {audience.value} of {event.value}")
        missing = [name for name in needed if getattr(facts, name) in {None, ""}]
        if missing:
            raise InvalidValue(f"the mail {event.value} needs {', '.join(missing)}", rule="R-271")
        text = self._texts[language, event, audience]
        return render_text(text.subject, text.body, language, facts)


def render_text(subject: str, body: str, language: Language, facts: Facts) -> Message:
    """Fill a subject and a body of the seller's own, such as a step mail's.

    What is no known placeholder stays as it is written: a mail that is due goes out. :func:`check_text` finds such
    mistakes when the program starts.
    """
    values = _values(facts, language)
    lines = [
        Template(line).safe_substitute(values).rstrip()
        for line in body.splitlines()
        if not _nothing_known(line, values)
    ]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return Message(one_line(Template(subject).safe_substitute(values)), f"{text}\n")


def check_text(where: str, text: str) -> None:
    """Hold *text* to the placeholders that there are.

    :raises ConfigurationError: naming *where* and the placeholder, or that a ``$`` begins none.
    """
    template = Template(text)
    for name in template.get_identifiers():
        if name not in PLACEHOLDERS:
            close = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"did you mean ${{{close[0]}}}?" if close else f"there are: {', '.join(PLACEHOLDERS)}"
            raise ConfigurationError(f"{where}: unknown placeholder ${{{name}}}; {hint}")
    if not template.is_valid():
        raise ConfigurationError(f"{where}: a $ that begins no placeholder; write $$ for a dollar sign")


def _file_name(language: Language, event: Event, audience: Audience) -> str:
    return f"{language.value}/{event.value}.{audience.value}.txt"


def _replacements(directory: Path, known: set[str]) -> dict[str, tuple[str, str]]:
    """Shown path and text by template name, of every text file in *directory*."""
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: no such directory of mail templates")
    found = {}
    for path in sorted(directory.rglob("*.txt")):
        name = path.relative_to(directory).as_posix()
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; a name is like {min(known)}"
            raise ConfigurationError(f"{path}: replaces no template of paygate{hint}")
        try:
            found[name] = (str(path), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{path}: not readable as UTF-8 text: {exc}") from exc
    return found


def _parse(where: str, text: str) -> Message:
    check_text(where, text)
    head, _, body = text.removeprefix("\ufeff").partition("\n")
    subject = head.removeprefix(_HEAD).strip()
    if not head.startswith(_HEAD) or not subject or not body.strip():
        raise ConfigurationError(f"{where}: begins with 'Subject: …', an empty line, and then the body")
    return Message(subject, body)


def _values(facts: Facts, language: Language) -> dict[str, str]:
    given = {name: _shown(name, getattr(facts, name), language) for name in PLACEHOLDERS if name not in SENTENCES}
    return given | _sentences(facts, language.value)


def _sentences(facts: Facts, lang: str) -> dict[str, str]:
    then, method = facts.next_step, facts.method
    by_card = method is PaymentMethod.CARD and facts.by_hand  # how the shop returns it by hand, nobody knows
    return {
        "advice": advice_text(facts.decline, then, lang) if facts.decline else "",
        "consequence": consequence_text(then, lang),
        "card_request": card_request_text(then, method, facts.card_change_url, lang),
        "refund_note": refund_note_text(method, lang) if method and not by_card else "",
        "transfer_to": transfer_text(facts.transfer_details, lang),
    }


def _shown(name: str, value: object, language: Language) -> str:
    if isinstance(value, Next):
        return next_text(value, language.value)
    text = shown(value, language.value)
    if not isinstance(value, str) or name in _SETTINGS or (name == "action_url" and _LINK.fullmatch(text)):
        return text  # a provider's link leads nowhere with a part of it masked
    return guarded(text)


def _nothing_known(line: str, values: Mapping[str, str]) -> bool:
    names = [name for name in Template(line).get_identifiers() if name in values]
    return bool(names) and not any(values[name] for name in names)
