"""``paygate customers``."""

import pytest


@pytest.mark.rule("R-406")
def test_customers_are_listed_shown_and_put_right(shell):
    ids = [one["id"] for one in shell.json("customers", "list", "--limit", "0")]
    changed = shell.json("customers", "update", "cus-ST-1", "--email", "new@example.com", "--reason", "phone")
    shown = shell("customers", "show", "cus-ST-1").stdout

    assert "cus-ST-1" in ids
    assert changed["email"] == "new@example.com"
    assert "new@example.com" in shown
    assert "ST-1" in shown
    assert [one["id"] for one in shell.json("customers", "list", "--email", "new@example.com")] == ["cus-ST-1"]


def test_an_update_of_nothing_is_a_mistake(shell):
    result = shell("customers", "update", "cus-ST-1")

    assert result.exit_code == 2
    assert "--name" in result.stderr
