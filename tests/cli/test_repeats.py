"""Up-arrow and Enter after a crash: the same command moves no money twice, and says how to mean it twice."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3

import pytest
from freezegun import freeze_time

from paygate.cli import repeats
from paygate.masking import card_spans

from .conftest import NOW

CONSENT = ("--consent", "phone, 2026-11-20")
CHARGE = ("charge", "ST-1", "5000", *CONSENT, "--yes")


def later(**step):
    return freeze_time(dt.datetime.fromisoformat(NOW) + dt.timedelta(**step))


def charges(shell):
    return shell.json("charges", "list", "--contract", "ST-1")


@pytest.mark.rule("R-379")
def test_the_same_charge_given_again_charges_nothing_and_shows_the_first(shell):
    first = shell.json(*CHARGE)["charge"]
    again = shell(*CHARGE)
    asked = shell("charge", "ST-1", "5000", *CONSENT, answer="y\n")
    nobody = shell("charge", "ST-1", "5000", *CONSENT)
    told = shell.json(*CHARGE)

    assert (again.exit_code, asked.exit_code, nobody.exit_code) == (0, 0, 7)
    assert first["id"] in again.stderr
    assert "nothing more is charged; add --again" in again.stderr
    assert "[y/N]" not in asked.stderr
    assert (told["charge"]["id"], told["preview"]) == (first["id"], None)
    assert len(charges(shell)) == 1


@pytest.mark.rule("R-379")
@pytest.mark.parametrize("hours", [0.2, 14.5, 19.9])
def test_neither_midnight_nor_a_night_lies_between_a_command_and_its_repeat(shell, hours):
    shell.json(*CHARGE)
    with later(hours=hours):
        assert shell(*CHARGE).exit_code == 0
        assert len(charges(shell)) == 1


@pytest.mark.rule("R-379")
def test_a_command_of_the_next_day_is_a_new_one(shell):
    shell.json(*CHARGE)
    with later(hours=23.9):
        shell.json(*CHARGE)
        assert shell(*CHARGE).exit_code == 0
        assert len(charges(shell)) == 2


@pytest.mark.rule("R-379")
def test_again_means_it_once_more_and_is_itself_repeated_safely(shell):
    shell.json(*CHARGE)
    second = shell.json(*CHARGE, "--again")["charge"]
    third = shell.json(*CHARGE)["charge"]

    assert third["id"] == second["id"]
    assert len(charges(shell)) == 2


@pytest.mark.rule("R-379")
@pytest.mark.parametrize(
    ("answer", "made"), [("again\ny\n", 2), ("again\nn\n", 1), ("\n", 1), ("yes\n", 1), ("y\ny\n", 1)]
)
def test_whoever_sits_there_is_asked_by_a_word_that_nobody_types_out_of_habit(shell, answer, made):
    shell.json(*CHARGE)
    asked = shell("charge", "ST-1", "5000", *CONSENT, answer=answer)

    assert "Type 'again'" in asked.stderr
    assert len(charges(shell)) == made


@pytest.mark.rule("R-379")
@pytest.mark.parametrize(
    "other",
    [
        ("charge", "ST-1", "5001", *CONSENT, "--yes"),
        ("charge", "ST-1", "5000", "--consent", "mail, 2026-11-20", "--yes"),
        ("charge", "ST-1", "5000", *CONSENT, "--renew-expiry", "--yes"),
        ("charge", "ST-1", "5000", *CONSENT, "--idempotency-key", "order-7", "--yes"),
    ],
)
def test_another_command_is_another_charge(shell, other):
    shell.json(*CHARGE)
    shell.json(*other)
    assert len(charges(shell)) == 2


@pytest.mark.rule("R-379")
def test_a_charge_that_was_declined_may_be_tried_again(shell):
    shell.json(*CHARGE)
    with contextlib.closing(sqlite3.connect(shell.folder / "paygate.db")) as database, database:
        database.execute("UPDATE paygate_charges SET state = 'FAILED' WHERE kind = 'ADDON'")
    shell.json(*CHARGE)
    assert sorted(one["state"] for one in charges(shell)) == ["FAILED", "SUCCEEDED"]


@pytest.mark.rule("R-379")
def test_a_charge_without_a_result_is_shown_again_and_not_made_again(shell):
    command = ("charge", "TC-1", "5000", *CONSENT, "--yes", "--no-wait", "--json")
    first, again = shell(*command), shell(*command)

    assert (first.exit_code, again.exit_code) == (6, 6)
    assert json.loads(first.stdout)["charge"]["id"] == json.loads(again.stdout)["charge"]["id"]
    assert len(shell.json("charges", "list", "--contract", "TC-1")) == 1


@pytest.mark.rule("R-379")
def test_a_key_and_again_contradict_each_other(shell):
    result = shell(*CHARGE, "--idempotency-key", "order-7", "--again")
    assert result.exit_code == 2
    assert "leave it out" in result.stderr
    assert charges(shell) == []


@pytest.mark.rule("R-379")
def test_the_same_refund_given_again_returns_nothing_more(shell):
    charge = shell.json(*CHARGE)["charge"]["id"]
    first = shell.json("refund", charge, "1000", "--yes")["refund"]
    again = shell("refund", charge, "1000", "--yes")
    whole = shell.json("refund", charge, "--yes")["refund"]
    repeated = shell("refund", charge, "--yes")
    once_more = shell("refund", charge, "1000", "--again", "--yes")

    assert (again.exit_code, repeated.exit_code) == (0, 0)
    assert first["id"] in again.stderr
    assert whole["amount"]["minor"] == 4000
    assert whole["id"] in repeated.stderr
    assert once_more.exit_code == 4  # nothing is left
    assert len(shell.json("refunds", "list")) == 2


@pytest.mark.rule("R-379")
def test_two_who_begin_at_once_have_one_key():
    typed, now = ("ST-1", 5000), dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    keys = {repeats.key_of("charge", typed, [], now, given=None, again=False)[0] for _ in range(2)}
    other = repeats.key_of("refund", typed, [], now, given=None, again=False)[0]

    assert len(keys) == 1
    assert other not in keys
    assert all(len(key) <= 32 for key in keys)


@pytest.mark.rule("R-362")
def test_no_key_that_is_made_of_what_was_typed_looks_like_a_card_number():
    for number in range(2000):
        stem = repeats.stem_of("charge", ("ST-1", f"phone, order {number}"))
        assert sum(letter.isdigit() for letter in stem) == 0
    assert next(card_spans(f"{stem}12"), None) is None


@pytest.mark.rule("R-362")
def test_the_refusal_of_a_card_number_names_its_argument_also_with_debug(shell):
    result = shell("--debug", "charge", "ST-1", "500", "--consent", "4242424242424242", "--yes")

    assert "CardNumberInText: consent holds what looks like a card number" in result.stderr
    assert "4242" not in result.stderr
