"""The language of what the commands show people: one place, through which every text passes on its way out.

JSON, CSV, names of commands and options, and values that programs read are the same in every language. A text is looked up
as it is; one that was put together is recognised by the pattern of its f-string, so that commands and the core go on
writing English. ``scripts/catalogue.py`` reads the patterns from the source.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator

from ..catalogue import LANGUAGES, keys, label, translate
from ..domain.contract import Status
from ..domain.operations import Operation
from ..labels import LABELLED, audit_label

__all__ = ["action_text", "cell_text", "is_no_text", "language", "named", "people", "speak", "texts", "word"]

#: For people who write plugins or set paygate up, not for those who run a shop: these stay English.
ENGLISH_ONLY = frozenset(
    {"__init__", "app", "check", "csv_file", "csv_import", "csv_names", "csv_output", "csv_values", "emulate", "lazy", "new",
     "params", "reading", "wording"}
)  # fmt: skip
#: Modules of the core whose sentences the tables show.
SENTENCES_OF = (
    "billing/card_limits", "billing/health", "billing/planning", "billing/run_report", "domain/attempts", "domain/audit",
    "domain/charge_warnings", "domain/dunning", "domain/forecast",
)  # fmt: skip
#: Calls whose texts nobody is shown: options of commands, values of programs.
NOT_SHOWN = frozenset(
    {"InvalidValue", "attrgetter", "cast", "column", "command", "compile", "field", "fullmatch", "getLogger", "getattr",
     "group", "IntRange", "open", "option", "option_", "read_text", "replace", "strftime", "TypeVar", "require_aware",
     "isinstance", "encode", "key_of", "read_many"}
)  # fmt: skip
_NO_TEXT = re.compile(
    r"[\W\d]*(\{\d+\}[\W\d]*)*|[a-z]+(_[a-z]+)+|[A-Z_]+|C[cfs]|Z[lp]|[A-Z]-\d+|.*%[a-zA-Z(].*|[a-z]+|--[a-z-]+|[a-z]+-[a-z]+|\x08.*"
    r"|(paygate\.toml|cli-\{0\}-|contracts create|one-off|\\\\?u\{0\}|\{task\.description\}|\{0\} JST|\{0\} has no form in JSON)"
    r"|.*(Traceback|mark by which Excel|list as CSV|Rows to show|same command did it within).*"
    r"|decline class|final code|final period begins|nothing failed|provider owned|special period ends|product end|no retry"
    r"|not renewed|step mail|content opens",
    re.DOTALL,
)
#: Short words that are shown.
_SHORT = frozenset(
    {"Amounts", "Mode", "Provider", "Refunds", "Webhooks", "accepted", "always", "billing run", "by hand", "empty", "honoured", "imported", "no", "no choice",
     "no code", "no limit", "none", "not retried", "nothing", "now", "once", "reconciliation", "yes"}
)  # fmt: skip
#: Sentences that the core joins to others.
_JOINED = (
    "{0} tells", "{0}; {1} charge(s) of {2} in all", "it has no delay, so it cannot be held back",
    "pause or delete it before {0}", "the provider charges it",
)  # fmt: skip
#: Why something was left undone by a run; see :class:`~paygate.billing.problems.Problem`.
_CODES = frozenset(
    {"account_missing", "account_paused", "wrong_mode", "configuration", "refused", "provider", "unexpected"}
)
#: What the audit trail calls what changes.
_AUDIT_NAMES = (
    "account", "amount", "attempt", "cancellation", "code", "due_on", "ended_on", "entry", "error", "expires_on",
    "past_due", "period", "period_start", "received_at", "reference", "refunds", "returned", "rule", "status",
    "subscription", "transition",
)  # fmt: skip
_JPY = re.compile(r"(?<![\d.])(-?[\d,]+) JPY\b")
_RANGE = re.compile(r"([\d,]+円) to ([\d,]+円)")
_RULE = re.compile(r"(.*) (\([RX]-\d+\)|\([\w .-]+\))", re.DOTALL)

_language = "en"


def language() -> str:
    """The language in which people are told."""
    return _language


def speak(lang: str) -> None:
    """Show people *lang* from now on."""
    global _language  # noqa: PLW0603 - one process runs one command
    if lang in LANGUAGES:
        _language = lang


def people(text: str) -> str:
    """A title, heading, note or question in the language of this run; what paygate did not write stays as it is."""
    if _language == "en" or not text:
        return text
    known = translate(text, _language, "cli")
    return known if known != text else _sentence(text)


def cell_text(text: str) -> str:
    """A text in a table: only sentences are translated, so that a plan called "Open" keeps its name."""
    if _language == "en":
        return text
    if " " not in text:
        return translate(text, _language, "cli") if text in _SHORT or text in _CODES else text
    return _sentence(text)


def named(member: enum.Enum) -> str:
    """What people read for *member*: its value in English, as programs write it; its label in Japanese."""
    if _language == "en":
        return str(member.value)
    said = label(member, _language)
    return f"{said}({member.value})" if isinstance(member, Operation) else said  # the command is named like it


def word(text: str) -> str:
    """A value that the audit trail keeps as a code, such as a status; anything else as it is."""
    return text if _language == "en" else _words().get(text) or cell_text(text)


def action_text(action: str) -> str:
    """An action of the audit trail; in English as it is recorded."""
    return action if _language == "en" else audit_label(action, _language)


def is_no_text(text: str) -> bool:
    """Whether a literal is a code, a name, a format or punctuation, and nothing to translate."""
    if text in _SHORT:
        return False
    return not text.strip() or _NO_TEXT.fullmatch(text) is not None


def texts() -> Iterator[str]:
    """Texts that stand in no command."""
    yield from ("(none)", *_AUDIT_NAMES, *sorted(_SHORT | _CODES), *_JOINED)


# --- sentences -------------------------------------------------------------------------------------------------------


@functools.cache
def _sentences() -> dict[str, str]:
    """Whole sentences of every kind, by their English."""
    contexts = ("cli", "operations.Reason", "access.Why", "deleting.Kept", "followup.Next")
    found: dict[str, str] = {}
    for context, text in keys(_language):
        if context in contexts and "{" not in text and text.count(" ") >= 1:
            found.setdefault(text, translate(text, _language, context))
    return found


@functools.cache
def _patterns(least: int) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of what is put together, those with the longest own text first.

    :param least: letters of its own that a pattern has at least.
    """
    found: list[tuple[int, re.Pattern[str], str]] = []
    for context, text in keys(_language):
        if context != "cli" or "{" not in text:
            continue
        parts = re.split(r"\{(\d+)\}", text)
        regex = "".join(re.escape(part) if n % 2 == 0 else f"(?P<v{part}>.*?)" for n, part in enumerate(parts))
        if sum(map(str.isalpha, "".join(parts[::2]))) < least:
            continue
        found.append((sum(map(len, parts[::2])), re.compile(regex, re.DOTALL), translate(text, _language, "cli")))
    return tuple((regex, said) for _, regex, said in sorted(found, key=lambda it: -it[0]))


def _sentence(text: str, least: int = 4) -> str:
    if text in _sentences():
        return _sentences()[text]
    if (told := _put_together(text, least, whole=True)) is not None:
        return told
    for mark, joined in (("; ", "。"), (", ", "、")):
        parts = text.split(mark)
        said = [_part(part) for part in parts] if len(parts) > 1 else parts
        known = [one != part for one, part in zip(said, parts, strict=True)]
        if len(parts) > 1 and (any(known) if mark == "; " else all(known)):
            return joined.join(said)
        if mark == "; " and (told := _put_together(text, least, whole=False)) is not None:
            return told
    if (match := _RULE.fullmatch(text)) and (told := _sentence(match[1], least)) != match[1]:
        return f"{told}{match[2]}"
    return _yen(text)


def _put_together(text: str, least: int, *, whole: bool) -> str | None:
    """By the pattern of its f-string; *whole*: only by patterns that hold a semicolon themselves."""
    for regex, said in _patterns(least):
        if whole is (";" in regex.pattern) and (match := regex.fullmatch(text)):
            values = {name[1:]: _part(value) for name, value in match.groupdict().items()}
            return re.sub(r"\{(\d+)\}", lambda it, values=values: values[it[1]], said)  # type: ignore[misc]
    return None


def _yen(text: str) -> str:
    """Amounts as Japanese write them: tables and sentences name yen most often."""
    return _RANGE.sub(r"\1〜\2", _JPY.sub(r"\1円", text))


def _part(text: str) -> str:
    """What stands in a sentence: another one, a word of ours, or a value that stays."""
    if text in _words():
        return _words()[text]
    return _sentence(text, 0) if " " in text else _yen(text)


@functools.cache
def _words() -> dict[str, str]:
    """Statuses and short words as they stand inside sentences."""
    found = {status.value: label(status, _language) for status in Status}
    for kind in LABELLED:
        for member in kind:
            if str(member.value).isupper():
                found.setdefault(str(member.value), label(member, _language))
    for context, text in keys(_language):
        if context == "cli" and text.islower() and "{" not in text:
            found.setdefault(text, translate(text, _language, context))
    return found
