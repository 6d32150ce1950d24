"""What a provider declares, narrowed by the settings of its account, and the hooks that it then has to have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..errors import ConfigurationError, PluginError
from ..money import Money
from ..provider import AmountRange, Capabilities, Lookup, RefundPolicy, Renewals

__all__ = ["check_hooks", "overridden", "required_hooks"]


def overridden(account: str, capabilities: Capabilities, overrides: Mapping[str, Any]) -> Capabilities:
    """*capabilities* with an account's own settings applied (R-203: the one-year limit can be switched on or off).

    Known settings: ``charge_window_years`` (0 switches it off), ``minimum_amount`` and ``maximum_amount`` (minor units
    of JPY).

    :raises ConfigurationError: an unknown setting, or a value that is not a whole number.
    """
    known = {"charge_window_years", "minimum_amount", "maximum_amount"}
    for key, value in overrides.items():
        if key not in known:
            raise ConfigurationError(
                f"account {account!r}: unknown capability setting {key!r}; known: {', '.join(sorted(known))}"
            )
        if type(value) is not int or value < 0:
            raise ConfigurationError(f"account {account!r}: {key} is a whole number, got {value!r}")
    if "charge_window_years" in overrides:
        capabilities = attrs.evolve(capabilities, charge_window_years=overrides["charge_window_years"] or None)
    declared = capabilities.amounts.get("JPY", AmountRange())
    narrowed = AmountRange(
        max(declared.minimum, overrides.get("minimum_amount", declared.minimum)),
        overrides.get("maximum_amount", declared.maximum),
    )
    if declared.maximum is not None and (narrowed.maximum is None or narrowed.maximum > declared.maximum):
        limit = Money(declared.maximum, "JPY")
        raise ConfigurationError(f"account {account!r}: maximum_amount cannot be above the provider's own {limit}")
    if narrowed != declared:
        capabilities = attrs.evolve(capabilities, amounts={**capabilities.amounts, "JPY": narrowed})
    return capabilities


def required_hooks(capabilities: Capabilities) -> tuple[str, ...]:
    """The hooks that a provider with these capabilities must answer."""
    hooks = ["charge"]
    if capabilities.refunds is not RefundPolicy.BY_HAND:
        hooks.append("refund")
    if capabilities.lookup is not Lookup.NONE:
        hooks.append("find_charge")
    if capabilities.refund_lookup is not Lookup.NONE:
        hooks.append("find_refund")
    if capabilities.cancels_charges:
        hooks.append("cancel_charge")
    if capabilities.webhooks:
        hooks.append("parse_webhook")
    if capabilities.renewals is Renewals.PROVIDER:
        hooks += ["stop_recurring", "end_recurring", "resume_recurring"]
    if capabilities.starts_subscriptions:
        hooks.append("start_recurring")
    if capabilities.changes_recurring_payment:
        hooks.append("change_recurring_payment")
    if capabilities.describes_cards:
        hooks.append("describe_card")
    if capabilities.revokes_cards:
        hooks.append("revoke_card")
    if capabilities.checkout:
        hooks += ["begin_checkout", "complete_checkout"]
    return tuple(hooks)


def check_hooks(account: str, capabilities: Capabilities, hooks: Mapping[str, Callable[..., Any]]) -> None:
    """Hold a provider to its word.

    :raises PluginError: a capability is declared whose hook is missing.
    """
    for name in required_hooks(capabilities):
        if name not in hooks:
            raise PluginError(f"account {account!r}: the provider declares what needs the hook {name!r}, but has none")
