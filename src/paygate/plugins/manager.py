"""The plugin manager of one gateway: registers providers under their accounts, and everybody else as observers.

A provider hook reaches exactly one account, together with plugins that wrap it; an observer hook reaches everybody.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import pluggy

from .. import _door, hookspecs
from ..errors import ConfigurationError, NotFound, PluginError, Undeliverable, Vetoed
from ..hookspecs import PROVIDER_HOOKS
from ..notices import ChargeProposal, OperationProposal
from ..provider import Capabilities, Mode, Provider
from ..settings import secret_problem
from ..texts import invisible
from .account import Account
from .border import Border
from .declared import check_hooks, overridden
from .known_secrets import known_secrets, secret_settings

__all__ = ["Complaint", "Plugins"]

#: Observers that are asked before anything is written; the others hear of it afterwards, from the outbox.
_LOG = logging.getLogger("paygate.plugins")

_ASKED_BEFORE = frozenset({"before_charge", "before_operation"})

_PLAIN = {
    "wrapper": False,
    "hookwrapper": False,
    "optionalhook": False,
    "tryfirst": False,
    "trylast": False,
    "specname": None,
}


@attrs.frozen
class Complaint:
    """What went wrong when a plugin was told something. ``final``: telling it again will not help."""

    text: str
    final: bool = False


class _Manager(pluggy.PluginManager):
    """Knows that an overridden method of :class:`Provider` is a hook without a marker."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if isinstance(plugin, Provider):
            # looked up on the class: touching every attribute of an instance would run its properties
            method = getattr(type(plugin), name, None)
            overridden_here = name in PROVIDER_HOOKS and method is not getattr(Provider, name)
            return dict(_PLAIN) if overridden_here else None
        return super().parse_hookimpl_opts(plugin, name)


def _check_spelling(account: str, provider: Provider) -> None:
    for name, member in inspect.getmembers_static(type(provider)):
        if name.startswith("_") or hasattr(Provider, name):
            continue
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        close = difflib.get_close_matches(name, PROVIDER_HOOKS, n=1, cutoff=0.75)
        if inspect.iscoroutinefunction(function) or (close and inspect.isfunction(function)):
            hint = f"; did you mean {close[0]!r}?" if close else "; a private helper starts with an underscore"
            msg = f"account {account!r}: {type(provider).__name__}.{name} is no hook of paygate{hint}"
            raise PluginError(msg)


def _check_async(account: str, plugin: object, hooks: Mapping[str, Callable[..., Any]]) -> None:
    for name in hooks.keys() - {"capabilities"}:
        if not inspect.iscoroutinefunction(getattr(plugin, name)):
            msg = f"account {account!r}: the hook {name!r} must be 'async def'; it may await only paygate.flow"
            raise PluginError(msg)


def _check_secrets(who: str, plugin: object) -> None:
    """Refuse a secret that no request could carry, however the plugin's settings were made and checked."""
    for field, value in secret_settings(plugin):
        if (problem := secret_problem(value, spaces=field.metadata.get("paygate_spaces", True))) is not None:
            raise ConfigurationError(f"{who}: setting {field.name!r} {problem}")


def _mode(account: str, provider: object, declared: Mode | None) -> Mode | None:
    """Whether *account* moves real money: as its provider tells by its credentials, else as the seller declares."""
    told = getattr(provider, "mode", None)
    if declared is not None and not isinstance(declared, Mode):
        raise ConfigurationError(f"account {account!r}: a mode is Mode.TEST or Mode.LIVE, not {declared!r}")
    if not isinstance(told, Mode):
        return declared
    if declared is not None and declared is not told:
        raise ConfigurationError(
            f"account {account!r} is declared as {declared.value}, but its credentials are those of {told.value} mode; "
            "put one of the two right"
        )
    return told


class Plugins:
    """All plugins of one gateway.

    :param providers: account name → provider: a :class:`Provider`, or a module or object with hook implementations.
    :param observers: plugins that implement observer hooks, or wrap provider hooks.
    :param overrides: account name → capability settings, see :func:`~paygate.plugins.declared.overridden`.
    :param modes: account name → whether it moves real money, where the provider cannot tell by its credentials (X-24).
    :raises PluginError: a misspelt hook, a declared capability without its hook, a hook that is not ``async``.
    """

    def __init__(
        self,
        providers: Mapping[str, object],
        observers: Sequence[object] = (),
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        modes: Mapping[str, Mode] | None = None,
    ) -> None:
        self._manager = _Manager("paygate")
        self._manager.add_hookspecs(hookspecs)
        for name, provider in providers.items():
            _door.opening(name, provider)
            _check_secrets(f"account {name!r}", provider)
            self._register(provider, name)
        for observer in observers:
            _check_secrets(f"plugin {type(observer).__name__!r}", observer)
            self._register(observer, None)
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as exc:
            raise PluginError(f"{exc}; see the list of hooks in paygate.hookspecs") from exc
        unknown = set(overrides or ()) - set(providers)
        if unknown:
            raise ConfigurationError(f"capability settings for unknown accounts: {', '.join(sorted(unknown))}")
        unknown = set(modes or ()) - set(providers)
        if unknown:
            raise ConfigurationError(f"modes for unknown accounts: {', '.join(sorted(unknown))}")
        for name in providers:
            if isinstance(name, str) and (hidden := invisible(name)) is not None:
                raise ConfigurationError(
                    f"account {name!r}: the name holds a character that nobody can see ({hidden}); type it anew"
                )
        self._modes = dict(modes or {})
        self._secrets = frozenset().union(*(known_secrets(one) for one in (*providers.values(), *observers)))
        self.border = Border("observers", self._secrets)
        self._accounts = {
            name: self._account(name, provider, list(providers.values()), (overrides or {}).get(name, {}))
            for name, provider in providers.items()
        }
        self._listening = {
            name: bool(getattr(self._manager.hook, name).get_hookimpls())
            for name in hookspecs.__all__
            if name not in PROVIDER_HOOKS
        }

    def _register(self, plugin: object, name: str | None) -> None:
        if inspect.isclass(plugin):
            raise PluginError(f"{plugin.__name__} is a class; give an instance of it")
        try:
            self._manager.register(plugin, name)
        except (ValueError, pluggy.PluginValidationError) as exc:
            raise PluginError(f"plugin {name or type(plugin).__name__!r} cannot be registered: {exc}") from exc

    def _account(self, name: str, provider: object, everybody: list[object], overrides: Mapping[str, Any]) -> Account:
        if isinstance(provider, Provider):
            _check_spelling(name, provider)
        others = [other for other in everybody if other is not provider]
        hooks: dict[str, Callable[..., Any]] = {}
        for hook in PROVIDER_HOOKS:
            caller = self._manager.subset_hook_caller(hook, others)
            if any(impl.plugin is provider for impl in caller.get_hookimpls()):
                hooks[hook] = caller
        if "capabilities" not in hooks:
            raise PluginError(f"account {name!r}: the provider has no hook 'capabilities'")
        _check_async(name, provider, hooks)
        declared = hooks.pop("capabilities")()
        if not isinstance(declared, Capabilities):
            raise PluginError(f"account {name!r}: capabilities() answered {type(declared).__name__}, not Capabilities")
        check_hooks(name, declared, hooks)
        mode = _mode(name, provider, self._modes.get(name))
        border = Border(name, self._secrets)  # of all accounts: one plugin may well be told another's
        return Account(name, type(provider).__name__, overridden(name, declared, overrides), hooks, mode, border)

    # --- accounts ---

    def account(self, name: str | None) -> Account:
        """The account *name*.

        :raises NotFound: there is none; the message lists those that are configured.
        """
        account = self._accounts.get(name or "")
        if account is None:
            known = ", ".join(sorted(self._accounts)) or "none"
            raise NotFound(
                f"no provider account {name!r} is configured (configured: {known}); add it to [accounts]", rule="R-166"
            )
        return account

    def has(self, name: str) -> bool:
        """Whether the configuration has an account *name*."""
        return name in self._accounts

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    # --- observers ---

    def listening(self, hook: str) -> bool:
        """Whether any plugin implements the observer *hook*."""
        return self._listening[hook]

    @property
    def anybody_listens(self) -> bool:
        """Whether any plugin wants to hear of anything after the fact."""
        return any(heard for hook, heard in self._listening.items() if hook not in _ASKED_BEFORE)

    def before_charge(self, proposal: ChargeProposal) -> None:
        """Ask the observers.

        :raises Vetoed: the first reason that one of them gave; or one of them raised, so that nobody knows its answer.
        """
        if not self._listening["before_charge"]:
            return
        for reason in self._reasons("before_charge", proposal):
            if reason:
                raise Vetoed(f"the charge was vetoed: {self.border.text(reason)}; nothing was sent")

    def before_operation(self, proposal: OperationProposal) -> None:
        """Ask the observers whether the actor may do this (X-21).

        :raises Vetoed: the first reason that one of them gave, naming actor, operation and contract; or one of them raised.
        """
        for reason in self._reasons("before_operation", proposal):
            if reason:
                what = f" on contract {proposal.contract.id}" if proposal.contract is not None else ""
                raise Vetoed(
                    f"{proposal.actor} may not {proposal.operation}{what}: {self.border.text(reason)}; nothing was sent, "
                    "nothing has changed",
                    rule="R-267",
                )

    def _reasons(self, hook: str, proposal: object) -> list[object]:
        """What the observers answer who may refuse; one that raises has not allowed it, and what it says is masked."""
        try:
            answers: list[object] = getattr(self._manager.hook, hook)(proposal=proposal)
        except Exception as exc:  # noqa: BLE001 - a plugin may raise anything
            said = self.border.text(f"{hook} of a plugin failed with {type(exc).__name__}: {exc}")
            _LOG.warning("%s; what was asked for is refused", said, extra={"event": "veto_hook_failed", "hook": hook})
            return [said]
        return answers

    def tell(self, hook: str, notice: object) -> list[Complaint]:
        """Tell every plugin that implements *hook*; one that raises does not keep the others from hearing it.

        :returns: what went wrong, one complaint per plugin that raised; empty when all is well.
        """
        complaints = []
        for impl in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                impl.function(notice) if impl.argnames else impl.function()
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # noqa: BLE001 - an observer's failure is kept, shown and retried, never raised
                text = f"{impl.plugin_name}: {type(exc).__name__}: {self.border.text(exc)}"
                complaints.append(Complaint(text, final=isinstance(exc, Undeliverable)))
        return complaints
