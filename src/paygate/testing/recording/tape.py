"""The file of a cassette: vcrpy's format, matching and library, with our own word on where it came from."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import attrs
import yaml
from vcr import matchers
from vcr.cassette import Cassette
from vcr.persisters.filesystem import FilesystemPersister
from vcr.record_mode import RecordMode
from vcr.request import Request as VcrRequest
from vcr.serializers import yamlserializer

from ...flow import Request, Response
from .origin import Origin
from .sanitise import Sanitiser

__all__ = ["Content", "Tape", "read"]

_MATCH_ON = (matchers.method, matchers.uri, matchers.body)


@attrs.frozen
class Content:
    """What a file holds, unchanged. ``origin`` is whatever stands there: it has not been checked."""

    origin: object
    exchanges: tuple[tuple[Request, Response], ...] = attrs.field(repr=False)


def read(path: Path) -> Content:
    """Read the file *path*.

    :raises ValueError: it is not a cassette. The message quotes nothing of it.
    """
    serializer = _Serializer()
    try:
        requests, responses, *_ = FilesystemPersister.load_cassette(path, serializer)
        exchanges = tuple((_asked(one), _answer(other)) for one, other in zip(requests, responses, strict=True))
    except (yaml.YAMLError, OSError, LookupError, TypeError, AttributeError, ValueError) as exc:
        raise ValueError(f"not a cassette ({type(exc).__name__})") from None
    return Content(serializer.origin, exchanges)


class Tape:
    """Exchanges in the order in which they happened; each is played once.

    :param sanitiser: applied through vcrpy's own hooks to what is loaded, asked for and taken down.
    """

    def __init__(self, path: Path, sanitiser: Sanitiser) -> None:
        self._path = path
        self._sanitiser = sanitiser
        self._cassette = Cassette(path=str(path), record_mode=RecordMode.ALL, **self._options())

    def load(self) -> Origin:
        """Read the file for playing.

        :returns: where it says that it came from.
        :raises ValueError: it is no cassette, or does not say where it came from.
        """
        origin = Origin.from_dict(read(self._path).origin)
        self._cassette = Cassette.load(
            path=str(self._path), record_mode=RecordMode.NONE, serializer=_Serializer(), **self._options()
        )
        return origin

    def play(self, request: Request) -> Response | None:
        """The answer to *request* that comes next, or None."""
        asked = _vcr_request(request)
        return _answer(self._cassette.play_response(asked)) if self._cassette.can_play_response_for(asked) else None

    def note(self, request: Request, response: Response) -> None:
        """Take an exchange down."""
        self._cassette.append(_vcr_request(request), _vcr_response(response))

    def write(self, origin: Origin) -> None:
        """Write the file, folders and all."""
        held = {"requests": self._cassette.requests, "responses": copy.deepcopy(self._cassette.responses)}
        FilesystemPersister.save_cassette(self._path, held, _Serializer(origin))

    def why_not(self, request: Request) -> str:
        """How *request*, which cannot be played, differs from what is there. Shows sanitised values only."""
        closest = self._cassette.find_requests_with_most_matches(_vcr_request(request))
        if not closest:
            return "it holds nothing similar"
        seen, _, differences = closest[0]
        if not differences:
            return "it has been played as often as it was recorded"
        return "\n".join([f"the closest is {seen.method} {seen.uri}", *(f"{name}: {how}" for name, how in differences)])

    @property
    def exchanges(self) -> tuple[tuple[Request, Response], ...]:
        """What is held, oldest first."""
        pairs = zip(self._cassette.requests, self._cassette.responses, strict=True)
        return tuple((_asked(request), _answer(response)) for request, response in pairs)

    @property
    def unplayed(self) -> int:
        """How many exchanges have not been played."""
        return len(self._cassette) - int(self._cassette.play_count)

    def _options(self) -> dict[str, Any]:
        return {
            "match_on": _MATCH_ON,
            "before_record_request": lambda one: _vcr_request(self._sanitiser.request(_asked(one))),
            "before_record_response": lambda one: _vcr_response(self._sanitiser.response(_answer(one))),
        }


class _Serializer:
    """vcrpy's YAML with our origin in front."""

    def __init__(self, origin: Origin | None = None) -> None:
        self.origin: object = origin

    def serialize(self, data: dict[str, Any]) -> str:
        stated = self.origin.to_dict() if isinstance(self.origin, Origin) else None
        return f"{yamlserializer.serialize({'origin': stated})}{yamlserializer.serialize(data)}"

    def deserialize(self, text: str) -> Any:
        data = yamlserializer.deserialize(text)
        self.origin = data.pop("origin", None)
        return data


def _vcr_request(request: Request) -> VcrRequest:
    return VcrRequest(request.method, request.url, request.body, dict(request.headers))


def _asked(request: VcrRequest) -> Request:
    return Request(request.method, request.uri, dict(request.headers), request.body or b"")


def _vcr_response(response: Response) -> dict[str, Any]:
    return {
        "status": {"code": response.status, "message": ""},
        "headers": {name: [value] for name, value in response.headers.items()},
        "body": {"string": response.body},
    }


def _answer(response: dict[str, Any]) -> Response:
    body = response["body"]["string"]
    headers = {name: values if isinstance(values, str) else values[0] for name, values in response["headers"].items()}
    return Response(response["status"]["code"], headers, body.encode() if isinstance(body, str) else body)
