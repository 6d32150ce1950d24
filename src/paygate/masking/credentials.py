"""Finds credentials that give themselves away by their form: keys, JWTs, authorization schemes, passwords in URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .view import View

__all__ = ["credentials"]

_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}KEY( BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z ]{0,40}KEY( BLOCK)?-----")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)*")
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|rk|pk|ek|uk)_(?:live|test)_\w+"
    r"|whsec_[\w+/=]+"
    r"|(?:ghp|gho|ghu|ghs|ghr|hf|npm|shpat|shpss|shppa)_[A-Za-z0-9]{16,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|pypi-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|sq0[a-z]{3}-[\w-]{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|ya29\.[\w-]{16,}"
    r"|AKIA[A-Z0-9]{16}|AIza[\w-]{30,}"
    r"|LIVE-[A-Z0-9]{24,}|SANDBOX-[A-Z0-9]{24,}"
    r")"
)
#: pi_1A_secret_2B: what follows lets a browser act for the customer
_CLIENT_SECRET = re.compile(r"(?<=_secret_)[A-Za-z0-9]{6,}")
_USER = re.compile(r"(?<=://)[^\s/@\"'<>]{1,300}@")
_BEARER = re.compile(r"(?<![\w-])bearer\s{1,8}(?P<value>[\w.~+/=-]{4,})", re.IGNORECASE)
_BASIC = re.compile(r"(?<![\w-])basic\s{1,8}(?P<value>[\w+/-]{6,}={0,2})", re.IGNORECASE)
_ABOUT = re.compile(r"(?:tokens?|auth\w*|schemes?|credentials?|keys?|headers?|challenge|realm)\b", re.IGNORECASE)
_ENCODED = re.compile(r"\d|[+/=]|[a-z][A-Z]|[A-Z]{2}[a-z]")
#: A card's code in a sentence: "CVV 987", "security code is 987"
_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:cvv|cvc|csc|cvn|cav|cvd)2?(?![A-Za-z0-9])\W{0,3}(?:(?:code|number|is|was|of|to|value)\W{1,3}){0,2}(?P<value>\d{3,4})(?![\w])"
    r"|(?:security|card|verification)[ _-]?code\W{0,3}(?:(?:is|was|of|number)\W{1,3}){0,2}(?P<value2>\d{3,4})(?!\w)"
    r"|(?<![A-Za-z0-9])pin\W{0,3}(?:(?:code|is|was|number)\W{1,3}){0,2}(?P<value3>\d{4,12})(?!\w)"
    r"|(?<![A-Za-z0-9])(?:one[ -]time (?:password|code)|otp|passcode|verification (?:code|value))\W{0,3}(?:is\W{1,3})?(?P<value5>\d{3,10})(?!\w)"
    r"|(?<![\w-])authorization\s{1,3}(?:token|basic|bearer|digest|key)\s{1,3}(?P<value7>\S{4,400})"
    # "password is hunter2", but not "password is wrong"
    r"|(?<![A-Za-z0-9])(?:password|passwd|passphrase|passcode|pwd|(?:api|secret|access|private)[ _-]?key|secret)"
    r"\s{1,3}(?:is|was)\s{1,3}(?P<value6>(?=\S{0,60}\d)\S{1,200})"
    r"|(?:セキュリティ[ー]?コード|暗証番号|(?:cvv|cvc)2?\s?(?:番号|コード))(?:は|が|:|：|\s){0,3}(?P<value4>\d{3,12})"
    r"|(?<![<:/\w])パスワード(?:は|が|:|：|\s){1,3}(?P<value8>(?=[!-~]{0,60}\d)[!#-&(-;?-~]{4,200}(?![<>=]))"
    # curl -u user:password
    r"|(?<![\w-])(?:-u|--user)[ =](?P<value9>[^\s:]{1,100}:[^\s]{1,200})",
    re.IGNORECASE,
)


def credentials(view: View) -> Iterator[tuple[int, int, str]]:
    """Where *view* holds credentials."""
    text = view.text
    if "-----BEGIN" in text:
        yield from _keys(text)
    if "eyJ" in text:
        yield from ((*found.span(), "<jwt>") for found in _JWT.finditer(text))
    yield from ((*found.span(), "<secret>") for found in _PREFIXED.finditer(text))
    if "_secret_" in text:
        yield from ((*found.span(), "<secret>") for found in _CLIENT_SECRET.finditer(text))
    if "://" in text:
        yield from ((*found.span(), "") for found in _USER.finditer(text))
    for found in _BEARER.finditer(text):
        if not _ABOUT.fullmatch(found["value"]):
            yield *found.span("value"), "<secret>"
    for found in _BASIC.finditer(text):
        if _ENCODED.search(found["value"]):
            yield *found.span("value"), "<secret>"
    for found in _CODE.finditer(text):
        yield *found.span(found.lastgroup or 0), "<secret>"


def _keys(text: str) -> Iterator[tuple[int, int, str]]:
    done = 0
    for found in _KEY.finditer(text):
        if found.start() < done:
            continue
        end = _KEY_END.search(text, found.end())
        done = end.end() if end else len(text)
        yield found.start(), done, "<key>"
