"""Settings of the plugin ``smtp``, checked once."""

from __future__ import annotations

import enum
import re
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs

from ..errors import ConfigurationError
from ..messages import Language
from ..settings import path, secret

__all__ = ["ADDRESS", "Security", "SmtpSettings"]

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#: An address that can be delivered to without extensions of SMTP; nothing in it can end a header.
ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")

_Choice = TypeVar("_Choice", bound=enum.Enum)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Security(enum.Enum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"  #: from the first command on; usually port 587
    TLS = "tls"  #: from the first byte on; usually port 465
    NONE = "none"


def _member(kind: type[_Choice], name: str, value: object) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        values = ", ".join(repr(member.value) for member in kind)
        raise ConfigurationError(f"smtp: {name} is one of {values}, got {value!r}") from None


def _security(value: object) -> Security:
    return _member(Security, "security", value)


def _language(value: object) -> Language:
    return _member(Language, "language", value)


def _number(value: int | str) -> Any:
    """A setting from the environment is text; what is no number is left to the validator."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _yes_or_no(value: object) -> bool:
    try:
        return attrs.converters.to_bool(value)  # type: ignore[arg-type]
    except ValueError:
        raise ConfigurationError(f"smtp: tell_admin_of_payments is true or false, got {value!r}") from None


def _path(value: str | Path | None) -> Path | None:
    return Path(value) if value else None


def _given(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"smtp: {attribute.name} is a text on one line, not empty")


def _given_or_nothing(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value != "":
        _given(instance, attribute, value)


def _within(low: int, high: int) -> Any:
    def check(_instance: object, attribute: attrs.Attribute[int], value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ConfigurationError(f"smtp: {attribute.name} is a whole number from {low} to {high}, got {value!r}")

    return check


def _address(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not ADDRESS.fullmatch(value):
        raise ConfigurationError(f"smtp: {attribute.name} is one mail address, for example shop@example.com")


def _address_or_nothing(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if value != "":
        _address(instance, attribute, value)


def _sender(_instance: object, _attribute: attrs.Attribute[str], value: object) -> None:
    name, address = parseaddr(value) if isinstance(value, str) and value.isprintable() else ("", "")
    if not ADDRESS.fullmatch(address):
        raise ConfigurationError("smtp: sender is an address, alone or as in 'Shop <shop@example.com>'")
    try:
        Address(name, addr_spec=address)
    except (MessageError, ValueError) as exc:
        raise ConfigurationError("smtp: sender is an address, alone or as in 'Shop <shop@example.com>'") from exc


def _web_address(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    parts = urlsplit(value) if isinstance(value, str) and not re.search(r"\s", value) else None
    web = parts is not None and parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if value and not web:
        raise ConfigurationError(f"smtp: {attribute.name} begins with https:// and holds no user name or blank")


def _card_page(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    _web_address(instance, attribute, value)
    rest = str(value).replace("{contract_id}", "")
    if "{" in rest or "}" in rest:
        raise ConfigurationError(f"smtp: {attribute.name} knows one placeholder, {{contract_id}}; write it so")


@attrs.frozen(kw_only=True)
class SmtpSettings:
    """How mails leave the house.

    :param host: the mail server; ``port``: 587 where nothing is said.
    :param security: ``starttls``, ``tls`` or ``none``. Certificates are always checked; ``ca_file`` names the PEM file
        of the authority of a server of your own.
    :param username: to log in with; ``password`` comes from the environment, as ``PAYGATE_SMTP_PASSWORD``.
    :param sender: an address, alone or as in ``Shop <shop@example.com>``. Its domain ends the ``Message-ID`` of mails.
    :param reply_to: where answers of customers go; empty: to the sender.
    :param admin_to: where the administrator's mails go.
    :param language: ``ja`` or ``en``, for all mails.
    :param templates: a directory whose files replace those of :mod:`paygate.messages`.
    :param timeout: seconds for each step of a connection.
    :param receipt_base_url: receipts are at this address, a slash, and the id of the ledger row (R-234).
    :param card_change_url: where a customer changes the card (X-06); ``{contract_id}`` in it stands for the contract's id, as in
        ``https://shop.example/card/{contract_id}``.
    :param transfer_details: where bank transfers go, on as many lines as it takes.
    :param console_url: contracts are at this address and ``/contracts/<id>``, for administrators.
    :param tell_admin_of_payments: whether the administrator hears of first payments as well.
    :raises ConfigurationError: naming the setting and the remedy, without the value of a secret.
    """

    host: str = attrs.field(validator=_given)
    port: int = attrs.field(default=587, converter=_number, validator=_within(1, 65_535))
    security: Security = attrs.field(default=Security.STARTTLS, converter=_security)
    ca_file: Path | None = path(default=None, converter=_path)  # noqa: RUF009 - an attrs field
    username: str = attrs.field(default="", validator=_given_or_nothing)
    password: str | None = secret(default=None)
    sender: str = attrs.field(validator=_sender)
    reply_to: str = attrs.field(default="", validator=_address_or_nothing)
    admin_to: str = attrs.field(validator=_address)
    language: Language = attrs.field(default=Language.JA, converter=_language)
    templates: Path | None = path(default=None, converter=_path)  # noqa: RUF009 - an attrs field
    timeout: int = attrs.field(default=10, converter=_number, validator=_within(1, 300))
    receipt_base_url: str = attrs.field(default="", validator=_web_address)
    card_change_url: str = attrs.field(default="", validator=_card_page)
    transfer_details: str = attrs.field(default="", validator=attrs.validators.instance_of(str))
    console_url: str = attrs.field(default="", validator=_web_address)
    tell_admin_of_payments: bool = attrs.field(default=False, converter=_yes_or_no)

    def __attrs_post_init__(self) -> None:
        if bool(self.username) is not (self.password is not None):
            raise ConfigurationError("smtp: username and password belong together; set both or neither")
        if not (self.username + (self.password or "")).isascii():
            # the standard library's login encodes ASCII, and its error would quote a part of the password
            raise ConfigurationError("smtp: username and password have to be ASCII for the server's login")
        if self.username and self.security is Security.NONE and self.host not in _LOOPBACK:
            raise ConfigurationError("smtp: a password is not sent unencrypted; set security to 'starttls' or 'tls'")
        if self.ca_file is not None:
            try:
                ssl.create_default_context(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as exc:
                raise ConfigurationError(f"smtp: ca_file {self.ca_file} is no readable PEM file") from exc

    @property
    def sender_address(self) -> Address:
        """The sender's name and address, taken apart."""
        name, address = parseaddr(self.sender)
        return Address(name, addr_spec=address)
