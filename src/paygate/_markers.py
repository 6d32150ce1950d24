"""The two decorators of paygate's hooks."""

import pluggy

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("paygate")
hookimpl = pluggy.HookimplMarker("paygate")
