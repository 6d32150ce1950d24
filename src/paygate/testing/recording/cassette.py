"""One cassette at the door to the network: it answers what it holds, or takes down what the provider answers.

The door is crossed by :class:`~paygate.drivers.SyncDriver` and :class:`~paygate.drivers.AsyncDriver` alike, so a cassette
that one recorded replays under the other, on asyncio and on trio. No HTTP client is patched: requests that are none of
paygate's never meet the cassette. Reading, matching and writing is vcrpy's.
"""

from __future__ import annotations

import datetime as dt
import enum
import importlib.metadata
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import attrs
import pytest

from ... import _door
from ...clock import SystemClock
from ...flow import Request, Response
from ..live import is_this_machine
from .allowlist import AllowList, allow_list
from .origin import Origin
from .pseudonyms import Pseudonyms
from .sanitise import Sanitiser
from .scan import scan_cassettes
from .tape import Tape

if TYPE_CHECKING:
    from ..emulators import Emulator

__all__ = ["Mode", "Recording", "cassette"]

_AGAIN = "record it anew with --paygate-record=all"


class Mode(enum.Enum):
    """Whether a cassette is replayed or recorded. It is always recorded as a whole: ids are numbered through it."""

    NONE = "none"  #: replay only; what is not in the cassette fails the test
    ONCE = "once"  #: record where there is no such file, else replay
    ALL = "all"  #: record anew

    @classmethod
    def by_environment(cls, environ: Mapping[str, str] = os.environ) -> Mode:
        """NONE under continuous integration, where ``CI`` is set, else ONCE."""
        return cls.NONE if environ.get("CI", "").lower() not in {"", "0", "false"} else cls.ONCE


class Recording(_door.Watcher):
    """A cassette in use. Made by the fixture ``paygate_cassette`` or by :func:`cassette`. Thread-safe.

    :param path: the file.
    :param allow: what it may hold.
    :param mode: whether to replay or to record.
    :param origin: where the exchanges come from, where that cannot be seen: see :meth:`record_from`.
    :param aliases: base URL → the origin that it stands for, as for an emulator served on some port.
    """

    def __init__(
        self,
        path: Path,
        allow: AllowList,
        *,
        mode: Mode = Mode.ONCE,
        origin: Origin | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.recording = mode is Mode.ALL or (mode is Mode.ONCE and not path.exists())
        self.origin = origin
        self._allow = allow
        self._sanitiser = Sanitiser(allow)
        self._aliases = dict(aliases or {})
        self._names = Pseudonyms()
        self._emulator: Emulator | None = None
        self._lock = threading.RLock()
        self._tape = Tape(path, self._sanitiser)
        if not self.recording:
            self._load()

    def knows(self, *ids: str) -> None:
        """Name ids that the test holds from elsewhere, such as the store's in its credentials, before the first exchange.

        An id that the test itself sends first need not be named.
        """
        with self._lock:
            self._names.know(ids)

    def record_from(self, emulator: Emulator) -> None:
        """While recording, let *emulator* answer in the provider's place; in a replay it is not asked.

        The ids inside its credentials, which a plugin sends though no answer told them, are known from here on.
        """
        self._emulator = emulator
        self.knows(*emulator.ids_in_credentials())
        if self.recording:
            self.origin = Origin.emulator(emulator.name, importlib.metadata.version("paygate"))

    def add(self, request: Request, response: Response) -> None:
        """Take down an exchange that somebody else had, such as a sample that the provider published."""
        with self._lock:
            self._note(request, response)

    @property
    def exchanges(self) -> tuple[tuple[Request, Response], ...]:
        """What the cassette holds now, sanitised, oldest first."""
        with self._lock:
            return self._tape.exchanges

    @property
    def unplayed(self) -> int:
        """How many exchanges of a replay nobody has asked for yet."""
        with self._lock:
            return 0 if self.recording else self._tape.unplayed

    def leaving(self, request: Request) -> Response | None:
        """The recorded answer; while recording the emulator's, or None: the network is asked."""
        with self._lock:
            if not self.recording:
                return self._play(request)
        if self._emulator is not None and self._aliased(request).url.startswith(f"{self._emulator.origin}/"):
            return self.arrived(request, self._emulator.handle(self._aliased(request)))
        return None

    def arrived(self, request: Request, response: Response) -> Response:
        """Take the exchange down. The answer goes on sanitised, but with the ids that the provider gave."""
        with self._lock:
            if not self.recording:
                return response
            self._state_origin(request)
            self._note(request, response)
        return self._sanitiser.response(response)

    def close(self) -> None:
        """Write what was recorded, unless a scan finds something in it that must not be kept."""
        if not self.recording:
            return
        if not self._tape.exchanges:
            _fail(
                f"nothing was recorded for {self.path.name}: nothing went through paygate's door to the network. "
                "A mounted emulator answers before it; use record_from(emulator) instead of mounts"
            )
        if self.origin is None:
            _fail(
                f"{self.path.name} does not say where it comes from: use record_from(emulator), or give origin= "
                "where the provider is played by a server on this machine"
            )
        self._tape.write(self.origin)
        if findings := scan_cassettes(self.path, [self._allow]):
            self.path.unlink()
            _fail("the cassette was not kept:\n" + "\n".join(map(str, findings)))

    # --- replay ------------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        if not self.path.exists():
            _fail(f"there is no cassette {self.path}; {_AGAIN}")
        try:
            self.origin = self._tape.load()
        except ValueError as exc:
            _fail(f"{self.path}: {exc}; {_AGAIN}")

    def _play(self, request: Request) -> Response:
        asked = self._named(request)
        played = self._tape.play(asked)
        if played is None:
            _fail(f"{asked.method} {asked.url} is not in {self.path}: {self._tape.why_not(asked)}; {_AGAIN}")
        return self._sanitiser.response(played, self._names.restore)

    # --- recording ---------------------------------------------------------------------------------------------------

    def _note(self, request: Request, response: Response) -> None:
        asked = self._named(request)
        self._tape.note(asked, self._sanitiser.response(response, self._names.replace))

    def _state_origin(self, request: Request) -> None:
        if self.origin is None and not is_this_machine(urlsplit(request.url).hostname or ""):
            self.origin = Origin.sandbox(self._allow.provider, SystemClock().now().astimezone(dt.UTC).date())

    def _named(self, request: Request) -> Request:
        return self._sanitiser.request(self._aliased(request), self._names.replace)

    def _aliased(self, request: Request) -> Request:
        for base, home in self._aliases.items():
            if request.url.startswith(base.rstrip("/") + "/"):
                return attrs.evolve(request, url=home.rstrip("/") + request.url[len(base.rstrip("/")) :])
        return request


@contextmanager
def cassette(path: str | os.PathLike[str], provider: str | AllowList, **options: Any) -> Iterator[Recording]:
    """Replay or record the cassette *path* for the length of a ``with``; written at its end unless that is an error.

    :param provider: the provider whose allow-list counts, or the list itself.
    :param options: as for :class:`Recording`; ``mode`` defaults to :meth:`Mode.by_environment`.
    :raises PluginError: there is no allow-list for *provider*.
    """
    allow = provider if isinstance(provider, AllowList) else allow_list(provider)
    options.setdefault("mode", Mode.by_environment())
    recording = Recording(Path(path), allow, **options)
    with _door.posted(recording):
        yield recording
    recording.close()


def _fail(message: str) -> NoReturn:
    """Fail the test with something that ``except Exception`` in the code under test does not swallow."""
    pytest.fail(message, pytrace=False)
