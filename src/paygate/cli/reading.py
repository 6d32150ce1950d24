"""Amounts, days and instants as people and Japanese offices write them, in arguments and in CSV files.

Full-width digits and signs count as the plain ones. What could mean two things is refused, and the refusal says what the
text looks like: a spreadsheet's serial number, a year of an era, a number that was shortened to ``3E+03``.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata

from ..clock import JST, UTC
from ..errors import InvalidAmount, InvalidValue
from ..money import Money

__all__ = ["day", "day_or_instant", "instant", "month", "yen"]

# --- amounts ---------------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3}")
#: Around the number: the yen sign, which Shift_JIS has in the place of the backslash, and 円. ``¥3,000-`` is how receipts
#: close the amount.
_YEN = re.compile(r"(?:(?P<sign>[¥\\])\s*)?(?P<number>.*?)\s*(?P<closed>(?<=[0-9])-)?(?P<unit>円)?")
_NUMBER = re.compile(r"[0-9][0-9,]*\.[0-9]+")
_SHORTENED = re.compile(r"[0-9](?:\.[0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_MINUS = ("-", "−", "‐", "–", "△", "▲", "(")
_KANJI_NUMBER = re.compile(r"[0-9.,]*[〇一二三四五六七八九十百千万億]+")

# --- days and instants -----------------------------------------------------------------------------------------------

_DAY = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_COMPACT_DAY = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_KANJI_DAY = re.compile(r"([0-9]{4})\s*年\s*([0-9]{1,2})\s*月\s*([0-9]{1,2})\s*日")
_KANJI_TIME = re.compile(r"([0-9]{1,2})\s*時\s*([0-9]{1,2})\s*分(?:\s*([0-9]{1,2})\s*秒)?")
_WEEKDAY = re.compile(r"\s*\(([月火水木金土日])(?:曜日?)?\)")
_MIDNIGHT = re.compile(r"[T ]0{1,2}:00(?::00(?:\.0+)?)?\Z")
_TIME = re.compile(r"[T ][0-9]{1,2}:[0-9]{2}.*")
_INSTANT = re.compile(
    _DAY.pattern + r"[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?\s*(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_SERIAL = re.compile(r"[0-9]{5}(?:\.[0-9]+)?")
#: Day 0 of spreadsheets, for days after 1900-02-28; only told to people.
_SERIAL_ZERO = dt.date(1899, 12, 30)
_ERA = re.compile(
    r"(?P<era>明治|大正|昭和|平成|令和|[MTSHR])\s*(?P<year>元|[0-9]{1,2})\s*(?:年|[-/.])"
    r"(?:\s*(?P<month>[0-9]{1,2})\s*(?:月|[-/.])\s*(?P<day>[0-9]{1,2})\s*日?)?",
    re.IGNORECASE,
)
_ERAS = {
    "明": 1867,
    "M": 1867,
    "大": 1911,
    "T": 1911,
    "昭": 1925,
    "S": 1925,
    "平": 1988,
    "H": 1988,
    "令": 2018,
    "R": 2018,
}
_YEAR_LAST = re.compile(r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{4}")
_SHORT_YEAR = re.compile(r"'?[0-9]{2}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{2}年.*")
_WEEKDAYS = "月火水木金土日"


def _plain(text: str) -> str:
    """*text* with full-width digits, signs and blanks as the plain ones, and no blanks around it."""
    return unicodedata.normalize("NFKC", text).strip()


def yen(text: str) -> Money:
    """A whole number of yen, with or without separators of thousands, yen sign and 円.

    :raises InvalidAmount: anything else: a fraction, a negative number, a text (R-004).

    >>> yen("5,000")
    Money(minor=5000, currency='JPY')
    >>> yen("￥３，０００")
    Money(minor=3000, currency='JPY')
    """
    text = _plain(text)
    match = _YEN.fullmatch(text)
    number = match["number"] if match else text
    closed = match is not None and match["closed"] and not match["sign"]
    if _WHOLE.fullmatch(number) and not closed:
        return Money(int(number.replace(",", "")), "JPY")
    if number.startswith(_MINUS) or text.startswith(_MINUS):
        problem = "an amount is not negative; money back is a refund"
    elif _NUMBER.fullmatch(number):
        problem = "yen have no fractions; write a whole number such as 5000"
    elif _SHORTENED.fullmatch(number):
        problem = (
            "a whole number of yen is not shortened with E; write it out, in a spreadsheet by a number format without E"
        )
    elif _KANJI_NUMBER.fullmatch(number):
        problem = "the number is written in kanji; write it in digits, 5000 or 5,000"
    else:
        problem = "not a whole number of yen; write 5000 or 5,000"
    raise InvalidAmount(problem, rule="R-004")


def day(text: str) -> dt.date:
    """A calendar date: ``2026-01-31``, ``2026/1/31``, ``2026.1.31``, ``20260131`` or ``2026年1月31日``.

    A weekday behind it in brackets has to be the right one; midnight, which spreadsheets add, is no time of day.

    :raises InvalidValue: another form, or no day of the calendar; says what the text looks like.
    """
    plain, weekday = _without_weekday(_plain(text))
    plain = _MIDNIGHT.sub("", plain)
    match = _KANJI_DAY.fullmatch(plain) or _COMPACT_DAY.fullmatch(plain)
    parts = match.groups() if match else (found := _DAY.fullmatch(plain)) and found.group(1, 3, 4)
    if not parts:
        raise InvalidValue(_no_day(plain))
    try:
        read = dt.date(*map(int, parts))
    except ValueError as exc:
        raise InvalidValue("no such day in the calendar; check month and day") from exc
    if weekday and _WEEKDAYS[read.weekday()] != weekday:
        raise InvalidValue(
            f"the day and its weekday contradict each other ({read} is {_WEEKDAYS[read.weekday()]}); check which is meant"
        )
    return read


_MONTH = re.compile(r"([0-9]{4})(?:[-/.]|\s*年\s*)([0-9]{1,2})(?:\s*月)?")


def month(text: str) -> str:
    """A month as ``YYYY-MM``: written ``2026-12``, ``2026/12`` or ``2026年12月``.

    :raises InvalidValue: another form, or no month of the year.
    """
    match = _MONTH.fullmatch(_plain(text))
    if match is None or not 1 <= int(match[2]) <= 12:
        raise InvalidValue("not a month; write it as 2026-12")
    return f"{match[1]}-{int(match[2]):02}"


def _without_weekday(text: str) -> tuple[str, str | None]:
    match = _WEEKDAY.search(text)
    return (text[: match.start()] + text[match.end() :], match[1]) if match else (text, None)


def _no_day(text: str) -> str:
    """What *text*, which is no date, looks like, and what to do about it."""
    remedy = "write it as 2026-01-31"
    if _SERIAL.fullmatch(text):
        meant = _SERIAL_ZERO + dt.timedelta(days=int(text.partition(".")[0]))
        return f"a spreadsheet's serial number of a day ({meant}), not a date; give the cells a date format and export again"
    if era := _ERA.match(text):
        year = _ERAS[era["era"][0].upper()] + (1 if era["year"] == "元" else int(era["year"]))
        return f"a year of an era, which would be {year}; write the year in four digits: 2026-01-31"
    if _YEAR_LAST.fullmatch(text):
        return f"the year stands last, so day and month could be meant either way; {remedy}"
    if _SHORT_YEAR.fullmatch(text):
        return f"the year has two digits, so it could be meant in several ways; {remedy}"
    if _TIME.search(text) and _DAY.match(text):
        return f"a time of day where a day is wanted; {remedy}"
    return f"not a date; {remedy}"


def instant(text: str) -> dt.datetime:
    """An instant, in UTC: ISO 8601 with its zone, or ``2026-01-31 10:00[:00]``, which is taken as Japanese time (R-001).

    ``2026年1月31日 10時00分`` is read as well.

    :raises InvalidValue: another form, no time of day, or no such moment.
    """
    match = _INSTANT.fullmatch(_with_signs(text))
    if match is None:
        plain = _plain(text)
        looks = _no_day(plain)
        problem = (
            "not a point in time" if looks.startswith(("not a date", "a time of day")) else looks.partition(";")[0]
        )
        raise InvalidValue(f"{problem}; write 2026-01-31 10:00 (Japanese time) or 2026-01-31T01:00:00Z")
    year, _, month, date, hour, minute, second, zone = match.groups()
    try:
        wall = dt.datetime(int(year), int(month), int(date), int(hour), int(minute), int(second or 0), tzinfo=JST)
        if zone is not None:
            offset = "+00:00" if zone == "Z" else zone
            wall = wall.replace(tzinfo=dt.datetime.strptime(offset, "%z").tzinfo)
        return wall.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidValue("no such point in time; check day, time and zone") from exc


def _with_signs(text: str) -> str:
    """*text* with 年月日時分秒 as hyphens, a blank and colons."""
    plain, _ = _without_weekday(_plain(text))
    plain = _KANJI_TIME.sub(lambda at: f" {at[1]}:{at[2].zfill(2)}" + (f":{at[3].zfill(2)}" if at[3] else ""), plain)
    return re.sub(r"\s+", " ", _KANJI_DAY.sub(r"\1-\2-\3 ", plain)).strip()


def day_or_instant(text: str) -> dt.date | dt.datetime:
    """What :func:`day` or :func:`instant` reads.

    :raises InvalidValue: another form, or no such day or moment.
    """
    return instant(text) if _INSTANT.fullmatch(_with_signs(text)) else day(text)
