"""Recorded exchanges with providers: sanitised by allow-list, replayed at paygate's one door to the network.

The files are vcrpy's (``pip install paygate[testing]``). What a file holds was let through by an :class:`AllowList`,
field by field, when it was written, and again when it is read. Each file says where it came from.

With pytest use the fixture ``paygate_cassette``; without it :func:`cassette`::

    with cassette("charge.yaml", "univapay") as recording: ...
"""

from __future__ import annotations

from .allowlist import AllowList, allow_list
from .cassette import Mode, Recording, cassette
from .origin import Origin, OriginKind
from .scan import Finding, scan_cassettes

__all__ = [
    "AllowList",
    "Finding",
    "Mode",
    "Origin",
    "OriginKind",
    "Recording",
    "allow_list",
    "cassette",
    "scan_cassettes",
]
