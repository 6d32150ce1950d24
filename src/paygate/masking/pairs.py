"""Finds the values of sensitive names: in JSON, forms, headers, XML, reprs, command lines and multipart bodies.

All patterns are bounded and start where a name starts, so that the work grows with the length of the text alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from .names import completes, is_sensitive, words
from .view import View

__all__ = ["is_placeholder", "pairs"]

_SECRET = "<secret>"  # noqa: S105 - what stands in its place

_QUOTES = "\"'`“”＂＇"
_NAME = r"[\w$@.\-]++(?:\[[^\[\]\s=:]{0,64}\]){0,6}"
_SEPARATOR = r"\s{0,8}\]?\s{0,8}(?P<sep>=>|->|:=|={1,3}|[:：＝])"
_BARE = re.compile(rf"(?<![\w$@.\-])(?P<name>{_NAME}){_SEPARATOR}")
_QUOTED = re.compile(rf"(?P<quote>[{_QUOTES}])(?P<name>[^{_QUOTES}\n=:<>{{}}]{{1,128}})[{_QUOTES}]{_SEPARATOR}")
_OPTION = re.compile(r"(?<![\w\-])--?(?P<name>[^\W\d][\w.\-]{1,63})(?P<sep>[ \t]{1,4})(?=[^\s\-])")
_IN_TUPLE = re.compile(
    # in brackets, or the two fields that a line of a table consists of
    rf"(?:[(\[]|(?m:^)(?=[{_QUOTES}][^{_QUOTES}\n]{{1,128}}[{_QUOTES}][ ]?,[ ]?[{_QUOTES}][^{_QUOTES}\n]{{1,400}}[{_QUOTES}][ ]?(?m:$)))"
    rf"\s{{0,4}}b?[{_QUOTES}](?P<name>[^{_QUOTES}\n]{{1,128}})[{_QUOTES}]\s{{0,4}}(?P<sep>,)\s{{0,4}}(?=b?[{_QUOTES}])"
)
#: {"name": "cvv", "value": "987"}, <input name="cvv" value="987">, <name>cvv</name><value>987</value>
_NAMED = re.compile(
    r"(?<![\w\-])(?:name|key|field|param|parameter|header|id|n|k|@name|property)"
    rf"[{_QUOTES}]?\s{{0,4}}(?:=>|[:=>])\s{{0,4}}[{_QUOTES}]?(?P<name>[^{_QUOTES}<>\n,;]{{1,128}})"
    rf"(?:[{_QUOTES}]|</)[^{{}}]{{0,80}}?(?<![\w\-])(?:value|val|content|data|text|string|v|default)"
    rf"[{_QUOTES}]?(?:\s[^<>]{{0,40}})?(?P<sep>=>|[:=>])",
    re.IGNORECASE,
)
_MULTIPART = re.compile(
    r"form-data;[^\n]{0,200}?name=(?:\"(?P<name>[^\"\n]{1,128})\"|(?P<bare>[\w.\-\[\]]{1,128}))[^\n]{0,200}\n"
    r"(?:[\w\-]{1,60}:[^\n]{0,200}\n){0,5}\r?\n(?P<value>[^\n]*(?:\n(?!--)[^\n]*)*)",
    re.IGNORECASE,
)
#: <name>cvv</name><value><string>987</string></value>, <key>cvv</key><string>987</string>
_MEMBER = re.compile(
    r"<(?:\w{1,20}:)?(?:name|key|field|param|parameter|header|property)(?:\s[^<>]{0,200})?>\s{0,8}(?P<name>[^<>]{1,128})</[^<>]{1,64}>"
    r"\s{0,20}(?:<[^<>/]{1,100}>\s{0,20}){1,3}(?P<value>(?:<!\[CDATA\[.*?\]\]>|[^<>]){1,2000})<",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[^\W\d][\w:.\-]{0,127})(?P<rest>(?:\s[^<>]{0,1000})?)>")

#: YAML's way to write a text of several lines
_BLOCK = re.compile(r"[|>][+-]?[ \t]{0,8}\n(?:[ \t]{1,80}[^\n]*(?:\n|\Z)){1,1000}")
_NEXT_PAIR = re.compile(rf"\s{{0,4}}[{_QUOTES}]?{_NAME}[{_QUOTES}]?\s{{0,2}}[=:]")
#: b"…", string(3) "…", SecretStr("…")
_WRAPPER = re.compile(r"[bruf]{1,2}(?=[\"'])|[A-Za-z_]\w{0,40}\(\d{1,9}\)\s?(?=[\"'])|[A-Za-z_][\w.]{0,40}(?=[(\[{])")
_NOTHING = re.compile(r"(?:null|none|nil|true|false|undefined|nan)(?![\w-])", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"<(?:secret|card|key|jwt|email|str|int|float|bool|list|dict|bytes|NoneType|text(?::\d{1,9})?)>|\*{3,}|\[(?:redacted|filtered|masked|hidden)\]|…",
    re.IGNORECASE,
)
_SENTENCE = frozenset(
    {
        "token",
        "tokens",
        "signature",
        "cookie",
        "cookies",
        "nonce",
        "track",
        "mac",
        "authentication",
        "pass",
        "cid",
        "pan",
        "sign",
    }
)
#: What may hold blanks although nothing quotes it.
_PHRASES = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "credential", "credentials"})
_HEADERS = frozenset({"authorization", "cookie", "cookies", "signature"})

_OPEN, _CLOSE = "([{", ")]}"


def is_placeholder(value: str) -> bool:
    """Whether *value* says that something was taken out, and holds nothing itself."""
    return bool(_PLACEHOLDER.fullmatch(value.strip()))


def pairs(view: View) -> Iterator[tuple[int, int, str]]:
    """Where *view* holds values of sensitive names."""
    text = view.text
    # every pattern needs one of these; most messages hold none
    if any(sign in text for sign in "=:：＝>"):
        for pattern in (_QUOTED, _BARE):
            yield from _values(view, pattern)
        yield from _values(view, _NAMED)
        if "form-data" in text:
            yield from _multipart(view)
    if "--" in text or " -" in text:
        yield from _values(view, _OPTION)
    if "," in text:
        yield from _values(view, _IN_TUPLE)
    if "</" in text:
        yield from _elements(view)
        for found in _MEMBER.finditer(text):
            if is_sensitive(found["name"]) and not _empty(found["value"]):
                yield *found.span("value"), _SECRET


def _values(view: View, pattern: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    done = 0
    for found in pattern.finditer(view.text):
        # what stands inside a value is hidden already, and reading it again and again would take time without end
        if found.start() >= done and (
            is_sensitive(found["name"]) or _completes_a_name(view.text, found) or _is_inside(view.text, found)
        ):
            start, end = _value(view, found)
            if start < end and not _is_ordinary(view.text, found, view.text[start:end]):
                yield start, end, _SECRET
            done = end


def _is_ordinary(text: str, found: re.Match[str], value: str) -> bool:
    """Whether a name that may stand for a secret plainly does not: a customer's id, the count of tests, a parcel's track."""
    parts = words(found["name"])
    last = parts[-1] if parts else ""
    if last in _COMPLETED:  # "account no: 7"
        before = " ".join((*parts, *words(text[max(0, found.start() - 16) : found.start()])))
        return "account" in before and bool(_SHORT_NUMBER.fullmatch(value))
    if found["name"] == "PASS":
        return bool(_SHORT_NUMBER.fullmatch(value))
    ordinary = _ORDINARY_VALUES.get(last) if len(parts) == 1 else None
    return ordinary is not None and bool(ordinary.fullmatch(value))


_SHORT_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_ORDINARY_VALUES = {
    "cid": re.compile(r"[a-z]{2,8}_\w{1,64}", re.ASCII),
    "track": re.compile(r"\d{1,12}", re.ASCII),
    "sign": re.compile(r"[a-z]{1,3}|\d", re.ASCII),
}


def _completes_a_name(text: str, found: re.Match[str]) -> bool:
    """Whether the name goes on to the left, as in a sentence: "the security code: 987"."""
    name, start = found["name"], found.start()
    if found.re is not _BARE or len(name) > _LONGEST_WORD or not start or text[start - 1] != " ":
        return False
    before = _WORD_BEFORE.search(text, max(0, start - 32), start)
    return before is not None and completes(before[1], name) and not _reads_like_words(text, found.end() + 1)


def _is_inside(text: str, found: re.Match[str]) -> bool:
    """Whether the object around the pair completes its name, as in ``{"card": {"code": "987"}}``."""
    name = found["name"]
    if name.lower() not in _COMPLETED:
        return False
    depth, at = 0, found.start()
    for at in range(found.start() - 1, max(-1, found.start() - _OBJECT), -1):
        if text[at] == "}":
            depth += 1
        elif text[at] == "{":
            depth -= 1
            if depth < 0:
                break
    outer = _NAME_BEFORE.search(text, max(0, at - 64), at) if depth < 0 else None
    return outer is not None and bool(parts := words(outer[1])) and completes(parts[-1], name)


def _value(view: View, found: re.Match[str]) -> tuple[int, int]:
    """Where the value begins and ends."""
    text, separator = view.text, found.start("sep")
    at = found.end()
    while (
        at < len(text)
        and text[at].isspace()
        and (text[at] != "\n" or found["sep"] in {":", "=>"})
        and at < found.end() + 64
    ):
        at += 1
    if at >= len(text):
        return at, at
    if wrapper := _WRAPPER.match(text, at):
        at = wrapper.end()
    if text[at] in _QUOTES:
        start, end = _quoted(view, at)
    elif (text[at] in _OPEN and not text.startswith("[", at)) or (text[at] == "[" and not _PLACEHOLDER.match(text, at)):
        start, end = at, _balanced(view, at)
    else:
        start, end = at, _bare(view, found, at, separator)
    return (start, start) if _empty(text[start:end]) else (start, end)


def _empty(value: str) -> bool:
    """Whether *value* holds nothing, or only says that something was taken out."""
    value = value.strip()
    return not value or bool(_NOTHING.fullmatch(value)) or is_placeholder(value)


def _quoted(view: View, at: int) -> tuple[int, int]:
    """The inside of the quotation that begins at *at*: it ends with a quote that is written like its first one."""
    text, spelling, mark = view.text, view.spelling(at), text_mark(view.text[at])
    end = at + 1
    while True:
        end = min((place for one in mark if (place := text.find(one, end)) >= 0), default=-1)
        if end < 0:
            return at + 1, len(text)
        if view.spelling(end) == spelling or text[at] != text[end]:
            return at + 1, end
        end += 1


def text_mark(quote: str) -> str:
    """What ends a quotation that *quote* begins."""
    return "”" if quote == "“" else quote


def _balanced(view: View, at: int) -> int:
    """The end of the list, object or call whose bracket is at *at*."""
    text, depth = view.text, 0
    while at < len(text):
        letter = text[at]
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            if depth == 0:
                return at + 1
        elif letter in "\"'":
            at = _quoted(view, at)[1]
        at += 1
    return len(text)


def _bare(view: View, found: re.Match[str], at: int, separator: int) -> int:
    """The end of a value without quotes."""
    text, parts = view.text, words(found["name"])
    colon = found["sep"] in {":", "："}
    inside = text[found.start() - 1] if found.start() and found.re is _BARE else ""
    if colon and parts[-1] in _SENTENCE and len(parts) == 1 and _reads_like_words(text, at):
        return at
    if colon and found.re is _BARE and (parts[-1] in _HEADERS or (len(parts) > 1 and "-" in found["name"])):
        return _line(view, at, found.start() - 1 if inside and inside in _QUOTES else None)
    if colon and (block := _BLOCK.match(text, at)):
        return block.end()
    phrase = colon and parts[-1] in _PHRASES
    escaped = view.escaped(separator)
    end = at
    while end < len(text):
        letter = text[end]
        if escaped or not view.escaped(end):
            if letter in "&<>\n" or letter in _QUOTES:
                break
            if letter.isspace() and (not phrase or _NEXT_PAIR.match(text, end)):
                break
            if letter in ",;" and _ends_a_value(text, end):
                break
            if letter in _CLOSE and (end + 1 >= len(text) or text[end + 1] in " \t\r\n,;)}]&<>" + _QUOTES):
                break
        elif letter in "\n\r":
            break
        end += 1
    return end


def _ends_a_value(text: str, at: int) -> bool:
    return (
        at + 1 >= len(text)
        or text[at + 1].isspace()
        or text[at + 1] in _QUOTES + "{[("
        or bool(_NEXT_PAIR.match(text, at + 1))
    )


def _line(view: View, at: int, quote: int | None) -> int:
    """The end of a header: of the line, or of the quotation that the whole header stands in."""
    text = view.text
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    if quote is None:
        return end
    spelling, mark = view.spelling(quote), text[quote]
    place = text.find(mark, at, end)
    while place >= 0:
        if view.spelling(place) == spelling:
            return place
        place = text.find(mark, place + 1, end)
    return end


_LONGEST_WORD = 10
_COMPLETED = frozenset({"code", "number", "no", "num", "nr", "value", "key"})
#: Characters of an object that are looked through for its beginning.
_OBJECT = 400
_NAME_BEFORE = re.compile(rf"([\w.\-]{{1,48}})[{_QUOTES}]?\s{{0,4}}(?:=>|[:=])\s{{0,4}}\Z")
_WORD_BEFORE = re.compile(r"(?<![^\W\d])([^\W\d]{2,20}) \Z")
_WORDS_FOLLOW = re.compile(r"[a-z]{1,20}(?:[\s.,;!?]|$)", re.IGNORECASE)


def _reads_like_words(text: str, at: int) -> bool:
    """Whether a sentence goes on at *at*, as in "invalid token: card expired"."""
    return bool(_WORDS_FOLLOW.match(text, at))


def _multipart(view: View) -> Iterator[tuple[int, int, str]]:
    for found in _MULTIPART.finditer(view.text):
        if is_sensitive(found["name"] or found["bare"]) and not _empty(found["value"]):
            yield found.start("value"), found.end("value"), _SECRET


def _elements(view: View) -> Iterator[tuple[int, int, str]]:
    """Text inside sensitive XML elements, also of elements inside them."""
    text = view.text
    tags = list(_TAG.finditer(text))
    closing: dict[str, list[int]] = {}
    for tag in tags:
        if tag["close"]:
            closing.setdefault(tag["name"], []).append(tag.start())
    done = 0
    around: list[str] = []
    for tag in tags:
        name = tag["name"].split(":")[-1]
        if tag["close"]:
            if around and around[-1] == name:
                around.pop()
            continue
        if tag["rest"].endswith("/"):
            continue
        outer = words(around[-1])[-1:] if around else ()
        around.append(name)
        if tag.start() < done or not (is_sensitive(name) or (outer and completes(outer[0], name))):
            continue
        ends = closing.get(tag["name"], [])
        place = bisect_left(ends, tag.end())
        end = ends[place] if place < len(ends) else text.find("<", tag.end())
        done = end if end >= 0 else len(text)
        if not _empty(text[tag.end() : done]):
            yield tag.end(), done, _SECRET
