"""Texts of the shop's own on the command line, and charges by the provider's reference."""

from __future__ import annotations

import pytest

from .conftest import HEADER

CHARGE = ("charge", "ST-1", "5000", "--consent", "phone", "--yes")


@pytest.mark.rule("R-421", "R-423")
def test_texts_are_given_shown_and_found(shell):
    made = shell.json(*CHARGE, "--metadata", "order=77", "--metadata", "note=a=b")["charge"]
    refund = shell.json("refund", made["id"], "100", "--metadata", "ticket=T-9", "--yes")["refund"]
    contract = shell.json(
        "contracts", "create", "c9", "P", "100", "--manual", "--metadata", "order=78", "--id", "K-9", "--yes"
    )

    assert made["metadata"] == {"order": "77", "note": "a=b"}
    assert "Metadata note" in shell("charges", "show", made["id"]).stdout
    assert "Metadata ticket" in shell("refunds", "show", refund["id"]).stdout
    assert "Metadata order" in shell("contracts", "show", "K-9").stdout
    assert [one["id"] for one in shell.json("charges", "list", "--metadata", "order=77")] == [made["id"]]
    assert [one["id"] for one in shell.json("refunds", "list", "--metadata", "ticket=T-9")] == [refund["id"]]
    assert [one["id"] for one in shell.json("contracts", "list", "--metadata", "order=78")] == [contract["id"]]
    assert shell.json("contracts", "list", "--metadata", "order=79") == []

    assert shell.json("charges", "find", "stripe", made["reference"])["id"] == made["id"]
    assert [one["id"] for one in shell.json("charges", "list", "--reference", made["reference"])] == [made["id"]]
    assert shell("charges", "find", "stripe", "pi_none").exit_code == 4


@pytest.mark.rule("R-421", "R-379")
def test_the_same_charge_with_other_texts_is_another_command(shell):
    first = shell.json(*CHARGE, "--metadata", "order=77")["charge"]

    assert shell.json(*CHARGE, "--metadata", "order=77")["charge"]["id"] == first["id"]
    assert shell.json(*CHARGE, "--metadata", "order=78")["charge"]["id"] != first["id"]


@pytest.mark.rule("R-421")
@pytest.mark.parametrize(("pair", "code"), [("order", 2), ("=x", 4), ("paygate_x=1", 4), ("order=", 4)])
def test_a_text_that_is_none_is_refused(shell, pair, code):
    assert shell(*CHARGE, "--metadata", pair).exit_code == code
    assert shell.json("charges", "list", "--contract", "ST-1") == []


@pytest.mark.rule("R-421")
def test_a_file_may_have_columns_of_texts(shell):
    header = f"{HEADER},metadata.Order,メタデータ.部門,METADATA.empty"
    rows = "\n".join(f"N-{n},c-{n},,,P,monthly,1,bank_transfer,,,2026-01-31,,,A-{n},営業," for n in range(2))

    assert shell("import", shell.write("texts.csv", f"{header}\n{rows}\n")).exit_code == 0

    assert shell.json("contracts", "show", "N-1")["contract"]["metadata"] == {"Order": "A-1", "部門": "営業"}
    assert [one["id"] for one in shell.json("contracts", "list", "--metadata", "Order=A-0")] == ["N-0"]


@pytest.mark.rule("R-421")
def test_a_wrong_column_of_texts_is_told_with_its_name(shell):
    header = f"{HEADER},metadata.paygate_x,metadata."
    row = "N-1,c-1,,,P,monthly,1,bank_transfer,,,2026-01-31,,,A,B"

    result = shell("import", shell.write("wrong.csv", f"{header}\n{row}\n"))

    assert result.exit_code == 4
    assert "metadata.paygate_x" in result.stdout
    assert "metadata." in result.stdout
