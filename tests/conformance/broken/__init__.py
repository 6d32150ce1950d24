"""Broken on purpose: Acme's plugin with one mistake each. Every class says which case has to catch it.

``CAUGHT_BY`` is the case whose claim the mistake breaks; ``ALSO`` lists further cases that cannot but notice it.
"""

from . import charging, hiding, recurring, refunding, telling

__all__ = ["BROKEN"]

#: Every broken provider, by name.
BROKEN = {
    name: kind
    for module in (charging, refunding, telling, hiding, recurring)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and "CAUGHT_BY" in vars(kind)
}
