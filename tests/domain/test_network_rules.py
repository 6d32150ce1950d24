import datetime as dt
import json
import subprocess
import sys

import pytest

from paygate import networks
from paygate.clock import UTC
from paygate.domain.network_rules import (
    Action,
    AdviceRule,
    CodeRule,
    Counts,
    NetworkRules,
    ReattemptLimit,
    Validity,
    Window,
)
from paygate.errors import ConfigurationError, InvalidValue

TODAY = dt.date(2026, 11, 22)
NOON = dt.datetime(2026, 11, 22, 3, tzinfo=UTC)  # in Japan
SECOND = dt.timedelta(seconds=1)
MONTH = dt.timedelta(days=30)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def limit(maximum: int = 2, **given: object) -> ReattemptLimit:
    facts: dict[str, object] = {
        "id": "acme-30-days",
        "network": "acme",
        "maximum": maximum,
        "counts": Counts.ATTEMPTS,
        "length": MONTH,
        "sources": ("a",),
    } | given
    return ReattemptLimit(**facts)


@pytest.fixture(scope="module")
def strict() -> NetworkRules:
    return networks.load()


@pytest.fixture(scope="module")
def lenient() -> NetworkRules:
    return networks.load("lenient")


# --- the shipped facts ---


@pytest.mark.parametrize(
    ("network", "code", "on", "strictly", "leniently"),
    [
        ("visa", "04", "2026-11-22", Action.NEVER, Action.NEVER),
        ("visa", "51", "2026-11-22", Action.RETRY, Action.RETRY),
        ("visa", "54", "2026-11-22", Action.CORRECT, Action.CORRECT),
        # one source never moved 03; the others moved it on 2021-04-17
        ("visa", "03", "2021-04-16", Action.NEVER, Action.NEVER),
        ("visa", "03", "2021-04-17", Action.NEVER, Action.RETRY),
        ("visa", "93", "2021-04-16", Action.NEVER, Action.NEVER),
        ("visa", "93", "2026-11-22", Action.NEVER, Action.RETRY),
        # 14 counts as wrong data for one source and as final for the others
        ("visa", "14", "2026-11-22", Action.NEVER, Action.CORRECT),
        ("visa", "G12", "2026-11-22", Action.NEVER, Action.NEVER),
        ("jcb", "G30", "2026-11-22", Action.CORRECT, Action.CORRECT),
        (None, "G97", "2026-11-22", Action.NEVER, Action.NEVER),
        # of a network that nobody speaks of, a code means what it means elsewhere
        ("jcb", "04", "2026-11-22", Action.NEVER, Action.NEVER),
        (None, "51", "2026-11-22", Action.RETRY, Action.RETRY),
    ],
)
def test_what_a_code_allows_depends_on_network_day_and_reading(
    strict, lenient, network, code, on, strictly, leniently
) -> None:
    assert strict.code_rule(network, code, day(on)).action is strictly
    assert lenient.code_rule(network, code, day(on)).action is leniently


@pytest.mark.parametrize(("network", "code"), [("visa", "ZZ"), ("mastercard", "04"), (None, "")])
def test_a_code_of_which_no_source_speaks_has_no_rule(strict, network, code) -> None:
    assert strict.code_rule(network, code, TODAY) is None


@pytest.mark.parametrize(
    ("network", "code", "action", "wait"),
    [
        ("mastercard", "01", Action.CORRECT, 0),
        ("mastercard", "02", Action.RETRY, 72 * 3600),
        ("mastercard", "03", Action.NEVER, 0),
        ("mastercard", "04", Action.CORRECT, 0),
        ("mastercard", "21", Action.NEVER, 0),
        ("mastercard", "22", Action.CORRECT, 0),
        ("mastercard", "24", Action.RETRY, 3600),
        ("mastercard", "25", Action.RETRY, 24 * 3600),
        ("mastercard", "26", Action.RETRY, 2 * 86400),
        ("mastercard", "27", Action.RETRY, 4 * 86400),
        ("mastercard", "28", Action.RETRY, 6 * 86400),
        ("mastercard", "29", Action.RETRY, 8 * 86400),
        ("mastercard", "30", Action.RETRY, 10 * 86400),
        ("mastercard", "40", Action.NEVER, 0),
        ("mastercard", "41", Action.NEVER, 0),
        ("mastercard", "42", Action.CORRECT, 0),
        ("mastercard", "43", Action.RETRY, 0),
        ("visa", "do_not_try_again", Action.NEVER, 0),
        ("visa", "confirm_card_data", Action.CORRECT, 0),
        ("visa", "try_again_later", Action.RETRY, 0),
    ],
)
def test_what_an_advice_code_asks_for(strict, network, code, action, wait) -> None:
    rule = strict.advice_rule(network, code, TODAY)

    assert (rule.action, rule.wait) == (action, dt.timedelta(seconds=wait))


def test_the_advice_of_one_network_is_nothing_to_another_that_is_known(strict) -> None:
    assert strict.advice_rule("visa", "03", TODAY) is None


def seen(rules: NetworkRules, network: str | None, on: str) -> set[tuple[str, int, Window, bool]]:
    return {(rule.id, rule.maximum, rule.window, rule.per_amount) for rule in rules.limits_on(network, day(on))}


VISA_15 = ("visa-30-days", 15, Window.ROLLING, False)
VISA_20 = ("visa-30-days", 20, Window.ROLLING, True)
MASTERCARD_MONTH = ("mastercard-30-days", 35, Window.ROLLING, True)


@pytest.mark.parametrize(
    ("on", "strictly", "leniently"),
    [
        ("2021-04-16", set(), set()),
        ("2021-04-17", {VISA_15}, {VISA_15}),
        ("2026-04-17", {VISA_15}, {VISA_15}),
        ("2026-04-18", {VISA_15, VISA_20}, {VISA_20}),
    ],
)
def test_visas_limit_changes_on_its_day_and_the_strict_reading_keeps_the_old_one_too(
    strict, lenient, on, strictly, leniently
) -> None:
    assert seen(strict, "visa", on) == strictly
    assert seen(lenient, "visa", on) == leniently


def test_a_calendar_day_of_unknown_zone_is_read_strictly_as_any_twenty_four_hours(strict, lenient) -> None:
    assert seen(strict, "mastercard", "2026-11-22") == {
        MASTERCARD_MONTH,
        ("mastercard-day", 10, Window.ROLLING, False),
    }
    assert seen(lenient, "mastercard", "2026-11-22") == {
        MASTERCARD_MONTH,
        ("mastercard-day", 10, Window.CALENDAR_DAY, False),
    }


@pytest.mark.parametrize("network", [None, "jcb"])
def test_all_limits_hold_for_a_card_of_which_the_network_is_not_known(strict, network) -> None:
    everything = seen(strict, "visa", "2026-11-22") | seen(strict, "mastercard", "2026-11-22")

    assert seen(strict, network, "2026-11-22") == everything


def test_a_named_source_is_followed_where_it_speaks_and_the_strict_reading_elsewhere() -> None:
    yuno, cardpointe, tabapay = networks.load("yuno"), networks.load("cardpointe"), networks.load("tabapay")

    assert yuno.code_rule("visa", "03", TODAY).action is Action.RETRY
    assert cardpointe.code_rule("visa", "03", TODAY).action is Action.NEVER
    assert seen(yuno, "visa", "2026-11-22") == {VISA_15, VISA_20}
    assert seen(cardpointe, "visa", "2026-11-22") == {VISA_15}
    assert seen(tabapay, "visa", "2026-11-22") == {VISA_20}


def test_every_statement_can_be_looked_up(strict) -> None:
    for rule in (*strict.codes, *strict.advice, *strict.limits):
        assert all(citation in strict.sources.values() for citation in strict.citations(rule))
        assert strict.citations(rule)


def test_an_unknown_reading_is_refused_with_the_names_of_the_sources() -> None:
    with pytest.raises(InvalidValue, match=r"unknown reading 'loose'.*forte"):
        networks.load("loose")


# --- windows, to the second ---


@pytest.mark.parametrize(
    ("at", "free"),
    [
        pytest.param(NOON + MONTH - SECOND, NOON + MONTH, id="a second before the window's end"),
        pytest.param(NOON + MONTH, NOON + MONTH, id="at the window's end"),
        pytest.param(NOON + MONTH + SECOND, NOON + MONTH + SECOND, id="a second after it"),
    ],
)
def test_an_attempt_leaves_a_rolling_window_exactly_its_length_later(at, free) -> None:
    assert limit(1).free_at([NOON], at) == free


def test_the_oldest_attempts_make_room_first_in_whatever_order_they_are_given() -> None:
    moments = [NOON + 2 * SECOND, NOON, NOON + SECOND]

    assert limit(3).free_at(moments, NOON + 3 * SECOND) == NOON + MONTH
    assert limit(2).free_at(moments, NOON + 3 * SECOND) == NOON + MONTH + SECOND
    assert limit(4).free_at(moments, NOON + 3 * SECOND) == NOON + 3 * SECOND


@pytest.mark.parametrize(
    ("asked", "free"),
    [
        ("2026-11-22 23:59:59", "2026-11-23 00:00:00"),
        ("2026-11-23 00:00:00", "2026-11-23 00:00:00"),
        ("2026-11-23 00:00:01", "2026-11-23 00:00:01"),
    ],
)
@pytest.mark.rule("R-001")
def test_a_calendar_day_makes_room_at_midnight_in_the_business_zone(at, asked, free) -> None:
    daily = limit(1, window=Window.CALENDAR_DAY, length=dt.timedelta(days=1))

    assert daily.free_at([NOON], at(asked)) == at(free)


def test_a_limit_makes_room_when_it_ends_although_its_window_is_full(at) -> None:
    ending = limit(1, validity=Validity(until=day("2026-11-30")))

    assert ending.free_at([NOON], NOON + SECOND) == at("2026-12-01 00:00:00")


# --- validity and readings of statements made for the purpose ---


@pytest.mark.parametrize(
    ("on", "holds"), [("2026-03-31", False), ("2026-04-01", True), ("2026-04-30", True), ("2026-05-01", False)]
)
def test_a_statement_holds_from_its_first_to_its_last_day(on, holds) -> None:
    month = Validity(day("2026-04-01"), day("2026-04-30"))
    never = CodeRule("acme", "X1", Action.NEVER, "closed", ("a",), month)
    rules = NetworkRules((never,), (), (limit(validity=month),), {"a": "page"})

    assert month.holds(day(on)) is holds
    assert (rules.code_rule("acme", "X1", day(on)) is never) is holds
    assert bool(rules.limits_on("acme", day(on))) is holds


@pytest.mark.parametrize(("reading", "hours"), [("strict", 72), ("lenient", 1), ("a", 24)])
def test_of_two_waiting_times_the_reading_picks_one(reading, hours) -> None:
    stated = tuple(
        AdviceRule("acme", "W", Action.RETRY, "later", "wait", (source,), dt.timedelta(hours=wait))
        for source, wait in (("a", 24), ("b", 72), ("c", 1))
    )
    rules = NetworkRules(advice=stated, sources={"a": "", "b": "", "c": ""}, reading=reading)

    assert rules.advice_rule("acme", "W", TODAY).wait == dt.timedelta(hours=hours)


@pytest.mark.parametrize("maximum", [0, -1])
def test_a_limit_that_allows_nothing_is_refused(maximum) -> None:
    with pytest.raises(InvalidValue, match="at least one attempt"):
        limit(maximum)


def test_a_window_without_length_is_refused() -> None:
    with pytest.raises(InvalidValue, match="lasts some time"):
        limit(length=dt.timedelta(0))


def test_a_last_day_before_the_first_is_refused() -> None:
    with pytest.raises(InvalidValue, match="wrong order"):
        Validity(day("2026-05-01"), day("2026-04-30"))


# --- the loader ---


def write(folder, **stated: object):
    file = folder / "rules.json"
    file.write_text(json.dumps({"sources": {"us": "our acquirer"}, "networks": {"acme": stated}}), encoding="utf-8")
    return file


def test_a_merchants_own_file_takes_the_place_of_the_shipped_one(tmp_path) -> None:
    own = {"id": "acme-week", "maximum": 3, "counts": "attempts", "window": "rolling", "days": 7, "per_amount": False}
    rules = networks.load("us", path=write(tmp_path, limits=[own | {"sources": ["us"]}]))

    assert [rule.maximum for rule in rules.limits_on("acme", TODAY)] == [3]
    assert rules.codes == ()


ADVICE = {"code": "1", "means": "m", "advice": "a", "action": "never", "sources": ["us"]}
LIMIT = {"id": "l", "maximum": 3, "counts": "attempts", "window": "rolling", "days": 7, "per_amount": False}


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"advice": [ADVICE | {"action": "perhaps"}]}, r"acme\.advice.*perhaps"),
        ({"advice": [ADVICE | {"sources": ["hearsay"]}]}, r"acme\.advice.*sources"),
        ({"advice": [ADVICE | {"sources": []}]}, r"acme\.advice.*sources"),
        ({"advice": [ADVICE | {"from": "soon"}]}, r"acme\.advice.*soon"),
        (
            {"codes": [{"code": "X", "says": [{"category": "9", "sources": ["us"]}]}], "categories": {}},
            r"acme\.codes.*X",
        ),
        ({"limits": [LIMIT]}, r"acme\.limits.*sources"),
        ({"limits": [LIMIT | {"sources": ["us"], "maximum": 0}]}, r"acme\.limits.*at least one"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path, stated, named) -> None:
    with pytest.raises(ConfigurationError, match=named):
        networks.load(path=write(tmp_path, **stated))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"networks": {"acme": 7}, "sources": {}}', '{"networks": {}}'])
def test_a_file_without_rules_is_named(tmp_path, text) -> None:
    file = tmp_path / "own.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"own\.json"):
        networks.load(path=file)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        networks.load(path=tmp_path / "none.json")


def test_the_front_door_loads_no_network_rules() -> None:
    program = "import sys, paygate; print([name for name in sys.modules if name.startswith('paygate.networks')])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"
