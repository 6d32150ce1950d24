"""Mails to customers and administrators over SMTP: an observer that ships with the core.

It tells what domain §3.4 asks for, in the words of :mod:`paygate.messages`. A server that cannot be reached or is busy
is an error, so that the outbox keeps the notice and comes back; an address that is refused for good is
:class:`~paygate.errors.Undeliverable`, and an operator hears of it. A repeat carries the same ``Message-ID``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import smtplib
import ssl
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from .._markers import hookimpl
from ..clock import JST, Clock, SystemClock, business_date
from ..domain.charge import ChargeKind, RefundState
from ..domain.contract import Contract, Customer, PaymentMethod
from ..domain.deleting import DELETE_REASON
from ..domain.followup import NoticeKind
from ..domain.ledger import LedgerEntry
from ..domain.mails import MailSet
from ..errors import InvalidValue, PaygateError, Undeliverable
from ..messages import DELETED, PLACEHOLDERS, Audience, Event, Facts, Message, Templates, guarded, render_text, said
from ..money import Money
from ..notices import ChargeNotice, ContractNotice, OperatorNotice, RefundNotice, StepMailNotice
from ..operator_texts import operator_text, operator_title
from .smtp_settings import ADDRESS, Security, SmtpSettings

__all__ = ["MailNotSent", "Smtp"]

#: What a step mail without words of its own says (R-224).
_SET_EVENTS = {
    MailSet.ON_PAYMENT_COMPLETE: Event.PAYMENT_CONFIRMED,
    MailSet.ON_RENEWAL: Event.RENEWAL_SUCCEEDED,
    MailSet.ON_RECURRING_CANCEL: Event.CANCELLATION_EFFECTIVE,
}
_IN_A_TEXT = re.compile(r"([^\s@<>])[^\s@<>]*@")


class MailNotSent(PaygateError):
    """The mail server could not be reached, or did not take the mail for now. The outbox tries again."""


@attrs.frozen
class _Letter:
    """One mail on its way to one address."""

    id: str
    to: str = attrs.field(repr=False)
    name: str = attrs.field(repr=False)
    message: Message


class Smtp:
    """The plugin ``smtp``.

    :param settings: see :class:`SmtpSettings`.
    :param clock: for the ``Date`` of mails; a gateway gives its own where this is None.
    :raises ConfigurationError: a template is wrong, naming the file and the placeholder.
    """

    Settings: ClassVar[type] = SmtpSettings

    def __init__(self, settings: SmtpSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self._templates = Templates.load(settings.templates)

    @hookimpl
    def on_step_mail_due(self, notice: StepMailNotice) -> None:
        """Send a prepared mail; parts that it leaves empty are filled by the template of its event."""
        mail = notice.mail
        facts = self._step_mail_facts(notice)
        if mail.subject and mail.body:
            message = render_text(mail.subject, mail.body, self.settings.language, facts)
        else:
            own = self._render(_SET_EVENTS[mail.set], Audience.CUSTOMER, facts)
            written = render_text(mail.subject, mail.body, self.settings.language, facts)
            message = Message(written.subject or own.subject, written.body if mail.body else own.body)
        self._send(_Letter(mail.id, notice.customer.email, notice.customer.name, message))

    @hookimpl
    def on_charge_success(self, notice: ChargeNotice) -> None:
        """Tell the administrator the result of an additional charge (R-176) and, if wanted, of a first payment."""
        wanted = {ChargeKind.ADDON: Event.CHARGE_SUCCEEDED}
        if self.settings.tell_admin_of_payments:
            wanted[ChargeKind.INITIAL] = Event.PAYMENT_CONFIRMED
        event = wanted.get(notice.charge.kind)
        if event is not None and notice.contract is not None:
            self._send(self._to_admin(notice.id, event, self._charge_facts(notice, notice.contract)))

    @hookimpl
    def on_charge_failure(self, notice: ChargeNotice) -> None:
        """Tell the administrator that an additional charge failed (R-176).

        Of a failed renewal a contract notice tells, which knows the attempt's number and what follows (R-151).
        """
        if notice.contract is not None and notice.charge.kind is ChargeKind.ADDON:
            facts = self._charge_facts(notice, notice.contract)
            self._send(self._to_admin(notice.id, Event.CHARGE_FAILED, facts))

    @hookimpl
    def on_contract_notice(self, notice: ContractNotice) -> None:
        """Tell the one side that the notice is for what has become of the contract (domain §3.4)."""
        told = notice.notice
        if told.kind is NoticeKind.MANUAL_REFUND_DUE:
            return  # each of them is an operator notice as well, as is one that no operation on the contract asked for
        known: dict[str, Any] = {name: fact for name, fact in told.facts.items() if name in PLACEHOLDERS}
        facts = attrs.evolve(self._contract_facts(notice.contract, notice.customer), next_step=told.next, **known)
        event = Event(told.kind.value)
        if event is Event.RENEWAL_FAILED:  # the reason is the provider's, in whichever language it speaks
            facts = attrs.evolve(facts, provider_message=facts.reason, reason="")
        if event is Event.OPERATOR_ACTION:
            lang = self.settings.language.value
            situation = operator_title(facts.code, lang)
            facts = attrs.evolve(
                facts, situation=situation, message=operator_text(facts.code, told.facts, lang, facts.message)
            )
        if event is Event.CANCELLATION_SCHEDULED and facts.code == "product_end":
            event = Event.PRODUCT_END  # nobody has asked for it, and nobody can take it back
        if told.audience is Audience.ADMIN:
            self._send(self._to_admin(notice.id, event, facts))
        else:
            self._send(self._to_customer(notice.id, event, facts, notice.customer))

    @hookimpl
    def on_refund(self, notice: RefundNotice) -> None:
        """Tell both sides of money returned, and the administrator of a refund that failed (R-247)."""
        refund = notice.refund
        done = refund.state is RefundState.DONE
        facts = attrs.evolve(
            self._contract_facts(notice.contract, notice.customer),
            amount=refund.amount,
            happened_on=business_date(refund.settled_at or refund.created_at),
            receipt_url=self._receipt_url(refund.refund_entry_id) if done else "",
            account=refund.account or "",
            refund_id=refund.id,
            code=(refund.failure and refund.failure.code) or "",
            decline=refund.failure.decline if refund.failure and not done else None,
            provider_message=refund.failure.message if refund.failure else "",
            reason=refund.reason,
            by_hand=refund.by_hand,
        )
        if refund.reason == DELETE_REASON:  # a link to the contract leads nowhere
            facts = attrs.evolve(facts, reason=said(DELETED, self.settings.language.value), contract_url="")
        if done:
            self._send(
                self._to_admin(notice.id, Event.REFUND_DONE, facts),
                self._to_customer(notice.id, Event.REFUND_DONE, facts, notice.customer),
            )
        else:
            self._send(self._to_admin(notice.id, Event.REFUND_FAILED, facts))

    @hookimpl
    def on_operator_action_required(self, notice: OperatorNotice) -> None:
        """Tell the administrator what to do. Of a failed refund :meth:`on_refund` tells, with all its facts."""
        if notice.code == "refund_failed":
            return
        lang, known = self.settings.language.value, notice.facts
        account, words, amount = known.get("account"), known.get("said"), known.get("amount")
        facts = Facts(
            code=notice.code,
            situation=notice.title(lang),
            message=notice.text(lang),
            amount=amount if isinstance(amount, Money) else None,
            account=str(account or ""),
            provider_message=str(words or ""),
            contract_id=notice.contract_id or "",
            contract_url="" if known.get("deleted") else self._contract_url(notice.contract_id),
            charge_id=notice.charge_id or "",
            refund_id=notice.refund_id or "",
            happened_on=business_date(notice.at) if notice.at else None,
        )
        event = Event.MANUAL_REFUND_DUE if notice.code == "manual_refund_due" else Event.OPERATOR_ACTION
        self._send(self._to_admin(notice.id, event, facts))

    # --- facts ---

    def _contract_facts(self, contract: Contract, customer: Customer | None) -> Facts:
        effective_on = contract.cancellation.effective_on if contract.cancellation else contract.ended_on
        return Facts(
            customer_name=customer.name if customer else "",
            contract_name=contract.name,
            contract_id=contract.id,
            contract_url=self._contract_url(contract.id),
            card_change_url=self._card_change_url(contract),
            transfer_details=self.settings.transfer_details if contract.method is PaymentMethod.BANK_TRANSFER else "",
            expires_on=contract.expires_on,
            method=contract.method,
            effective_on=effective_on,
            last_day_of_use=effective_on - dt.timedelta(days=1) if effective_on else None,
        )

    def _step_mail_facts(self, notice: StepMailNotice) -> Facts:
        mail, paid = notice.mail, notice.payments
        if notice.contract is not None:
            facts = self._contract_facts(notice.contract, notice.customer)
        else:
            facts = Facts(customer_name=notice.customer.name, contract_id=mail.contract_id)
        return attrs.evolve(
            facts,
            amount=_sum(paid) if paid else None,
            charged_on=business_date(paid[0].received_at) if paid else None,
            receipt_url=self._receipt_url(notice.receipt.id) if notice.receipt else "",
        )

    def _charge_facts(self, notice: ChargeNotice, contract: Contract) -> Facts:
        charge, failure = notice.charge, notice.charge.failure
        day = business_date(charge.charged_at or charge.settled_at or charge.created_at)
        return attrs.evolve(
            self._contract_facts(contract, notice.customer),
            amount=charge.amount,
            charged_on=day,
            happened_on=day,
            account=charge.account,
            charge_id=charge.id,
            code=(failure and failure.code) or "",
            decline=failure.decline if failure else None,
            provider_message=failure.message if failure else "",
        )

    def _receipt_url(self, entry_id: str) -> str:
        base = self.settings.receipt_base_url
        return f"{base.rstrip('/')}/{entry_id}" if base else ""

    def _card_change_url(self, contract: Contract) -> str:
        """The shop's page for a new card; ``{contract_id}`` in the setting stands for the contract's id."""
        page = self.settings.card_change_url
        return page.replace("{contract_id}", quote(contract.id, safe="")) if contract.is_card else ""

    def _contract_url(self, contract_id: str | None) -> str:
        base = self.settings.console_url
        return f"{base.rstrip('/')}/contracts/{contract_id}" if base and contract_id else ""

    # --- letters ---

    def _render(self, event: Event, audience: Audience, facts: Facts) -> Message:
        try:
            return self._templates.render(event, audience, self.settings.language, facts)
        except InvalidValue as exc:
            raise Undeliverable(str(exc)) from exc  # the facts will not be there next time either

    def _to_admin(self, notice_id: str, event: Event, facts: Facts) -> _Letter:
        message = self._render(event, Audience.ADMIN, facts)
        return _Letter(f"{notice_id}.admin", self.settings.admin_to, "", message)

    def _to_customer(self, notice_id: str, event: Event, facts: Facts, customer: Customer | None) -> _Letter:
        message = self._render(event, Audience.CUSTOMER, facts)
        return _Letter(
            f"{notice_id}.customer", customer.email if customer else "", customer.name if customer else "", message
        )

    def _mime(self, letter: _Letter) -> EmailMessage:
        sender = self.settings.sender_address
        name = Facts(customer_name=letter.name).customer_name
        mime = EmailMessage()
        mime["Message-ID"] = f"<{letter.id}@{sender.domain}>"
        mime["Date"] = format_datetime((self.clock or SystemClock()).now().astimezone(JST))
        mime["From"] = sender
        mime["To"] = Address(guarded(name), addr_spec=letter.to)
        if self.settings.reply_to:
            mime["Reply-To"] = self.settings.reply_to
        mime["Subject"] = letter.message.subject
        mime["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
        body = letter.message.body
        # never 8-bit: not every relay on the way promises to pass it on
        mime.set_content(body, cte="quoted-printable" if body.isascii() else "base64")
        return mime

    # --- sending ---

    def _send(self, *letters: _Letter) -> None:
        """Hand over each letter, so that one that is refused keeps no other back.

        :raises Undeliverable: letters were refused for good; the others were taken.
        :raises MailNotSent: the server was not reached, or asks to come back later.
        """
        refused = [f"mail {letter.id}: no address that mail can go to" for letter in letters if not _goes(letter)]
        ready = [(letter, self._mime(letter)) for letter in letters if _goes(letter)]
        if ready:
            with self._server() as server:
                for letter, mime in ready:
                    try:
                        server.send_message(mime, self.settings.sender_address.addr_spec, [letter.to])
                    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as exc:
                        code, text = _answer(exc, letter.to)
                        told = f"mail {letter.id} to {_masked(letter.to)}: the server answered {code} {text}"
                        if code < 500:
                            raise MailNotSent(f"{told}; it is tried again") from None
                        refused.append(told)
        if refused:
            raise Undeliverable("; ".join(refused))

    @contextlib.contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        """A connection, encrypted and logged in as the settings say. No error shows an address or a secret."""
        settings = self.settings
        try:
            server = self._connect()
            try:
                if settings.security is Security.STARTTLS:
                    server.starttls(context=self._tls())
                if settings.username:
                    server.login(settings.username, settings.password or "")
                yield server
                # what was taken is taken: a quarrel at the door must not make the outbox send it again
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    server.quit()
            finally:
                server.close()
        except (smtplib.SMTPException, OSError) as exc:
            where = f"mail server {settings.host}:{settings.port}"
            raise MailNotSent(f"{where}: {_told(exc)}; it is tried again") from None

    def _connect(self) -> smtplib.SMTP:
        settings = self.settings
        if settings.security is Security.TLS:
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout, context=self._tls())
        return smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.settings.ca_file)


def _sum(rows: tuple[LedgerEntry, ...]) -> Money:
    return Money(sum(row.amount.minor for row in rows), rows[0].amount.currency)


def _goes(letter: _Letter) -> bool:
    return ADDRESS.fullmatch(letter.to) is not None


def _masked(text: str) -> str:
    """Addresses by their first letter and their domain: ``h***@example.com``."""
    return _IN_A_TEXT.sub(r"\1***@", text)


def _answer(exc: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError, to: str) -> tuple[int, str]:
    """The server's code and words; servers like to repeat the address in them."""
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        code, text = exc.recipients[to]
        return code, _words(text)
    return exc.smtp_code, _words(exc.smtp_error)


def _words(text: bytes | str) -> str:
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return guarded(_masked(" ".join(decoded.split())))[:200]


def _told(exc: smtplib.SMTPException | OSError) -> str:
    if isinstance(exc, smtplib.SMTPResponseException):
        return f"{type(exc).__name__} {exc.smtp_code} {_words(exc.smtp_error)}"
    return f"{type(exc).__name__} {_words(str(exc))}"
