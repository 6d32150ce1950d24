"""An address of a database that cannot be one is a matter of the set-up, and names the remedy (R-291)."""

from __future__ import annotations

from pathlib import Path

import pytest

from paygate import Gateway
from paygate.errors import ConfigurationError, DatabaseMissing
from paygate.store.backup import backup

WRONG = [
    "sqlite://shop.db",
    "sqlite://user@/x.db",
    "sqlite://host:5/x.db",
    "sqlite://host:port/x.db",
    "sqlite:///x.db?timeout=abc",
    "sqlite:///x.db?timeout=-1",
    "sqlite:///x.db?cached_statements=1e9",
    "sqlite:///x.db?check_same_thread=maybe",
    "sqlite:///x.db?isolation_level=DEFERRED",
    "sqlite:///x.db?colour=red",
    "sqlite:///a\0b.db",
    "sqlite:///\ud800.db",
    "postgresql://user:pa%00ss@host/name",
    "postgresql://user@host:port/name",
    "postgresql://user@host/na\0me",
    "sqlite:///file:q?mode=memory&cache=shared&uri=true",
    "sqlite:///file:shop.db?uri=true",
    "sqlite:///file::memory:?cache=shared&uri=true",
    "shop.db",
    "",
    5,
]


@pytest.mark.rule("R-291")
@pytest.mark.parametrize("url", WRONG, ids=ascii)
def test_an_address_that_is_none_is_refused_with_the_remedy(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        Gateway(database=url, providers={}).contracts.list().all()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.rule("R-293")
def test_looking_at_a_file_that_is_named_by_a_uri_makes_none(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        backup(f"sqlite:///file:{tmp_path}/shop%20a.db?uri=true", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_what_is_known_of_a_sqlite_address_is_taken(tmp_path: Path) -> None:
    Gateway(database=f"sqlite:///{tmp_path}/a.db?timeout=2.5", providers={}).close()
