"""Where the running paygate was installed from, so that a new project gets the same one.

A name alone does not say which package is meant: an index may have another project under it.
"""

from __future__ import annotations

import json

__all__ = ["requirement"]


def requirement(direct_url: str | None) -> str | None:
    """What pip has to be given to install the paygate that ``direct_url.json`` of its installation describes.

    :param direct_url: the file's text; None where pip took paygate from an index and wrote no such file.
    :returns: a requirement with its address, for example ``"paygate[testing] @ file:///home/hanako/paygate"``; None for
        an index, where the name is enough.

    >>> requirement('{"url": "https://git.example/paygate", "vcs_info": {"vcs": "git", "commit_id": "71103d5"}}')
    'paygate[testing] @ git+https://git.example/paygate@71103d5'
    """
    if direct_url is None:
        return None
    origin = json.loads(direct_url)
    address = origin["url"]
    if versioned := origin.get("vcs_info"):
        address = f"{versioned['vcs']}+{address}@{versioned['commit_id']}"
    return f"paygate[testing] @ {address}"
