"""Everything that enters by a public method of the gateway is checked first, and every refusal leaves masked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..bounds import check_bounds
from ..domain.contract import Actor, ActorKind
from ..errors import InvalidValue, NotFound, PaygateError
from ..masking import mask_text
from ..texts import invisible

__all__ = ["check_public_methods"]

#: They name what exists or does not; nothing of them is written, and what was stored long ago must be found.
_LOOKED_UP = frozenset(
    {
        "account",
        "charge_id",
        "confirm",
        "contract_id",
        "credential_id",
        "customer_id",
        "entry_id",
        "mail_id",
        "name",
        "refund_id",
        "target",
    }
)
#: The same names where something new is called so, and others where something is looked up by them.
_WRITTEN = frozenset(
    {
        ("Contracts.create", "contract_id"),
        ("Contracts.preview_create", "contract_id"),
        ("Customers.update", "name"),
    }
)
_READ = frozenset(
    {
        ("Charges.find", "reference"),
        ("Charges.list", "metadata"),
        ("Charges.list", "reference"),
        ("Checkouts.complete", "reference"),
        ("Contracts.list", "metadata"),
        ("Refunds.list", "metadata"),
    }
)
#: A delivery is authenticated as it came; contracts to import are checked one by one, for each to be refused alone.
_NOT_HERE = frozenset({"self", "headers", "body", "rows"})


def check_public_methods(kind: type) -> None:
    """Have every public method of *kind* check its arguments; ``_services`` of the instance knows the rules."""
    for name, method in list(vars(kind).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(kind, name, _checked(method))


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    parameters = tuple(inspect.signature(method).parameters)
    called = method.__qualname__.removeprefix("Async")
    kinds = {
        name: (name in _LOOKED_UP and (called, name) not in _WRITTEN) or (called, name) in _READ
        for name in parameters
        if name not in _NOT_HERE
    }

    def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in (*zip(parameters[1:], args, strict=False), *kwargs.items()):
            if value is not None and name in kinds:
                yield name, value

    def check(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rules = self._services.texts
        for name, value in (*zip(parameters[1:], args, strict=False), *kwargs.items()):
            if name == "actor":
                _check_actor(value)
        for name, value in named(args, kwargs):
            check_bounds(name, value)
            rules.check(name, value, looked_up=kinds[name])

    def explain(error: PaygateError, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _mask(error)
        if isinstance(error, NotFound):
            _say_what_is_hidden(error, [given for given in named(args, kwargs) if kinds[given[0]]])

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def waiting(self: Any, *args: Any, **kwargs: Any) -> Any:
            check(self, args, kwargs)
            try:
                return await method(self, *args, **kwargs)
            except PaygateError as exc:
                explain(exc, args, kwargs)
                raise

        return waiting

    @functools.wraps(method)
    def plain(self: Any, *args: Any, **kwargs: Any) -> Any:
        check(self, args, kwargs)
        try:
            return method(self, *args, **kwargs)
        except PaygateError as exc:
            explain(exc, args, kwargs)
            raise

    return plain


def _check_actor(value: object) -> None:
    """What is noted with every record has to be readable for ever.

    :raises InvalidValue: it is no actor.
    """
    if isinstance(value, Actor) and isinstance(value.kind, ActorKind) and isinstance(value.id, str):
        return
    raise InvalidValue(
        f"actor is an Actor, such as Actor.admin('hanako') or Actor.customer(id), not {type(value).__name__}; "
        "nothing was done",
        rule="R-266",
    )


def _say_what_is_hidden(error: NotFound, given: Iterable[tuple[str, object]]) -> None:
    """What was looked for in vain may hold a character that nobody sees, from a copy out of a mail or a spreadsheet."""
    for name, value in given:
        hidden = invisible(value) if isinstance(value, str) else None
        if hidden is not None and len(error.args) == 1:
            error.args = (f"{error.args[0]}; {name} holds a character that nobody can see ({hidden}), type it anew",)
            return


def _mask(error: PaygateError) -> None:
    """A refusal may quote what the caller wrote, and that goes to logs and screens."""
    if len(error.args) == 1 and isinstance(error.args[0], str):
        masked = mask_text(error.args[0])
        if masked != error.args[0]:
            error.args = (masked,)
