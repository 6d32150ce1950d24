"""Which names stand for a secret, however they are spelt: ``cardCode``, ``CARD-CODE``, ``card[code]``, ``x.card_code``."""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import lru_cache

__all__ = ["MAX_NAME", "completes", "is_sensitive", "words"]

#: Of longer names the end is looked at.
MAX_NAME = 128

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+")

#: One of these words makes a name sensitive, unless its last word says that it is only about one.
_SECRET = frozenset(
    [
        "secret",
        "password",
        "passwd",
        "passphrase",
        "passcode",
        "pwd",
        "pass",
        "passwort",
        "otp",
        "totp",
        "pin",
        "cvv",
        "cvc",
        "csc",
        "cvn",
        "cvd",
        "cav",
        "cid",
        "pan",
        "credential",
        "authorization",
        "authentication",
        "cookie",
        "jwt",
        "bearer",
        "token",
        "apikey",
        "signature",
        "sig",
        "hmac",
        "mac",
        "privatekey",
        "sessionid",
        "cryptogram",
        "cavv",
        "jsessionid",
        "phpsessid",
        "sessid",
        "sid",
        "ucaf",
        "track",
        "csrf",
        "xsrf",
        "nonce",
        "iban",
        "pinblock",
        "sign",
    ]
)
#: …and these pairs of words do, whatever follows them.
_PAIRS = frozenset(
    {
        *((first, "code") for first in ("card", "security", "verification", "cvv", "cvc", "pin", "pass")),
        *((first, "value") for first in ("verification", "cvv", "cvc")),
        *((card, number) for card in ("card", "cc", "pan", "account") for number in ("number", "no", "num", "nr")),
        ("session", "id"),
        ("session", "key"),
        ("auth", "code"),
    }
)
#: Before "key" these say that it is no secret; any other word before it says that it is one.
_HARMLESS_KEYS = frozenset(
    [
        "idempotency",
        "primary",
        "foreign",
        "public",
        "sort",
        "cache",
        "partition",
        "lookup",
        "row",
        "object",
        "event",
        "map",
        "dict",
        "json",
        "item",
        "unique",
        "index",
        "group",
        "message",
        "msg",
        "error",
        "field",
        "natural",
        "business",
        "dedupe",
        "deduplication",
        "order",
        "translation",
        "i18n",
        "config",
        "settings",
        "a",
        "the",
        "this",
        "same",
        "that",
        "another",
        "new",
        "old",
        "your",
        "its",
        "used",
        "given",
        "unknown",
        "missing",
        "hot",
        "short",
        "no",
        "any",
        "each",
        "every",
        "with",
        "of",
        "under",
        "by",
        "provider",
        "period",
    ]
)
#: In a sentence only these do.
_SECRET_KEYS = frozenset(
    ("api", "secret", "private", "access", "merchant", "signing", "encryption", "shared", "master")
)
#: A name that ends so is about a secret and does not hold it.
_ABOUT = frozenset(
    [
        "id",
        "ids",
        "type",
        "kind",
        "check",
        "checks",
        "result",
        "status",
        "state",
        "at",
        "on",
        "expires",
        "expiry",
        "expiration",
        "exp",
        "name",
        "names",
        "url",
        "uri",
        "link",
        "method",
        "version",
        "length",
        "len",
        "count",
        "required",
        "enabled",
        "present",
        "error",
        "errors",
        "brand",
        "network",
        "policy",
        "provider",
        "match",
        "matched",
        "verified",
        "valid",
        "response",
        "mode",
        "format",
        "alg",
        "algorithm",
        "created",
        "updated",
        "limit",
        "usage",
        "size",
        "age",
        "until",
        "since",
        "lifetime",
        "ttl",
        "days",
        "seconds",
        "last",
        "first",
        "reason",
        "scheme",
        "algorithms",
        "domain",
        "path",
        "host",
        "category",
        "level",
        "attempts",
        "failed",
        "failures",
        "missing",
    ]
)
#: Parts that give a word away although it is written in one piece, such as "cardcode" or "newpassword".
_STEMS = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "merchantkey",
    "signingkey",
    "encryptionkey",
    "sharedkey",
    "masterkey",
    "hashkey",
    "authkey",
    "storekey",
    "shopkey",
    "cardcode",
    "cardnumber",
    "cardno",
    "ccnumber",
    "ccnum",
    "creditcardnumber",
    "securitycode",
    "verificationcode",
    "verificationvalue",
    "authorization",
    "credential",
    "signature",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "cardtoken",
    "sessionid",
    "sessionkey",
    "sessiontoken",
    "bearertoken",
    "cvv",
    "cvc",
]
_SUFFIXES = ("token", "pwd", "cookie")

_PASSENGER = re.compile("passe[dn]|passer")
#: Hold such a part by accident.
_ORDINARY = frozenset({"secretary", "secretaries", "secretariat"})

_OTHER_LANGUAGES = (
    "パスワード",
    "暗証番号",
    "セキュリティコード",
    "セキュリティーコード",
    "カード番号",
    "カード確認",
    "認証コード",
    "署名",
    "秘密鍵",
    "秘密",
    "アクセスキー",
    "トークン",
    "合言葉",
    "密码",
    "密碼",
    "口令",
    "安全码",
    "卡号",
    "비밀번호",
    "пароль",
    "contraseña",
    "passe",
    "kennwort",
    "senha",
    "wachtwoord",
)  # fmt: skip


@lru_cache(maxsize=1024)
def words(name: str) -> tuple[str, ...]:
    """The words of *name* in lower case, without numbers.

    >>> words("card[billing-cvv2].newValue")
    ('card', 'billing', 'cvv', 'new', 'value')
    """
    plain = unicodedata.normalize("NFKC", name[-MAX_NAME:])
    return tuple(word.lower() for word in _WORD.findall(plain))


@lru_cache(maxsize=1024)
def is_sensitive(name: str) -> bool:
    """Whether a value under *name* must not be shown.

    >>> [is_sensitive(name) for name in ("CardCode", "merchantKey", "card_cvc_check", "idempotency_key", "token_id")]
    [True, True, False, False, False]
    """
    parts = words(name)
    if not parts or parts[-2:] == ("in", "text"):  # the name of an error, CardNumberInText
        return False
    if any(pair in _PAIRS for pair in itertools.pairwise(parts)):
        return parts[-1] not in _ABOUT or parts[-2:] in _PAIRS
    if parts[-1] in _ABOUT:
        return _compact(parts[-1])
    if any(_singular(word) in _SECRET or _compact(word) for word in parts):
        return True
    plain = unicodedata.normalize("NFKC", name[-MAX_NAME:]).casefold()
    if any(term in plain for term in _OTHER_LANGUAGES) and not _PASSENGER.search(plain):
        return True
    return any(_singular(key) == "key" and before not in _HARMLESS_KEYS for before, key in itertools.pairwise(parts))


def completes(before: str, name: str) -> bool:
    """Whether *name* stands for a secret together with the word *before* it in a sentence, as in "security code: 987"."""
    pair = (before.lower(), name.lower())
    return pair in _PAIRS or (pair[1] == "key" and pair[0] in _SECRET_KEYS)


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and word not in {"pass", "cvs"} else word


def _compact(word: str) -> bool:
    return word not in _ORDINARY and (any(stem in word for stem in _STEMS) or _singular(word).endswith(_SUFFIXES))
