"""How the emulated UnivaPay shows its resources (provider fact sheet §6 to §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .records import Cancel, Charge, Payment, Refund, Subscription, Token
from .state import State
from .wire import formatted, instant

__all__ = ["MERCHANT_NAME", "STORE_NAME", "Views"]

MERCHANT_NAME, STORE_NAME = "Example KK", "Main shop"

_PLATFORM_ID = "11e73ea1-0000-4a00-8000-00000000f001"
_NAMES = {"merchant_name": MERCHANT_NAME, "store_name": STORE_NAME}
_TOKEN_ITEM = (
    "id", "store_id", "email", "payment_type", "active", "mode", "type", "created_on", "updated_on", "last_used_on",
    "metadata",
)  # fmt: skip


class Views:
    """Resources as they go out, whole and as items of lists."""

    def __init__(self, state: State) -> None:
        self._state = state

    # --- tokens ------------------------------------------------------------------------------------------------------

    def token(self, token: Token) -> dict[str, Any]:
        """Never the whole number, never the CVV."""
        checked = token.cvv_status is not None
        three_ds = token.three_ds
        shown: dict[str, Any] = {
            "id": token.id,
            "platform_id": _PLATFORM_ID,
            "merchant_id": token.merchant_id,
            "store_id": token.store_id,
            "email": token.email,
            "payment_type": "card",
            "active": token.active,
            "mode": token.mode,
            "type": token.type,
            "ip_address": token.ip_address,
            "usage_limit": token.usage_limit,
            "confirmed": token.confirmed,
            "metadata": dict(token.metadata),
            "created_on": instant(token.created),
            "updated_on": instant(token.updated),
            "last_used_on": instant(token.used),
            "data": {
                "card": dict(token.card),
                "billing": dict(token.billing),
                "cvv_authorize": {
                    "enabled": checked,
                    "status": token.cvv_status,
                    "charge_id": token.cvv_charge,
                    "credentials_id": None,
                    "currency": token.cvv_currency,
                },
                "cvv_authorize_check": {"status": None, "charge_id": None, "date": None},
                "three_ds": {
                    "enabled": three_ds is not None,
                    "status": three_ds.status if three_ds else None,
                    "redirect_endpoint": three_ds.redirect_endpoint if three_ds else None,
                    "redirect_id": three_ds.redirect_id if three_ds else None,
                    "exempted": False if three_ds else None,
                    "error": three_ds.error.show() if three_ds and three_ds.error else None,
                },
            },
        }
        if token.previous_id is not None:
            shown["previous_id"] = token.previous_id
        return shown

    def token_item(self, token: Token) -> dict[str, Any]:
        whole = self.token(token)
        user = {"cardholder_name": token.card["cardholder"], "email": token.email, "brand": token.card["brand"]}
        return {name: whole[name] for name in _TOKEN_ITEM} | _NAMES | {"user_data": user}

    # --- charges -----------------------------------------------------------------------------------------------------

    def charge(self, charge: Charge) -> dict[str, Any]:
        charged = charge.charged
        shown: dict[str, Any] = {
            "id": charge.id,
            "platform_id": _PLATFORM_ID,
            "merchant_id": charge.token.merchant_id,
            "store_id": charge.store_id,
            "ledger_id": None,
            "transaction_token_id": charge.token.id,
            "transaction_token_type": "subscription" if charge.subscription else charge.token.type,
            "subscription_id": charge.subscription.id if charge.subscription else None,
            "merchant_transaction_id": charge.merchant_transaction_id,
            "client_metadata_id": None,
            "requested_amount": charge.amount,
            "requested_currency": charge.currency,
            "requested_amount_formatted": formatted(charge.amount, charge.currency),
            "charged_amount": charged.minor if charged else None,
            "charged_currency": charged.currency if charged else None,
            "charged_amount_formatted": formatted(charged.minor, charged.currency) if charged else None,
            "fee_amount": None,
            "fee_currency": None,
            "fee_amount_formatted": None,
            "only_direct_currency": charge.only_direct_currency,
            "capture_at": instant(charge.capture_at),
            "descriptor": charge.descriptor,
            "descriptor_phone_number": None,
            "status": charge.status,
            "error": charge.error.show() if charge.error else None,
            "metadata": dict(charge.metadata),
            "mode": charge.mode,
            "created_on": instant(charge.created),
            "updated_on": instant(charge.updated),
            "redirect": dict(charge.redirect or {}),
        }
        if charge.three_ds is not None:
            shown["three_ds"] = dict(charge.three_ds)
        if self._state.behaviour.extra_fields:
            shown |= {"type": "normal", "undocumented": [1]}
        return shown

    def charge_item(self, charge: Charge) -> dict[str, Any]:
        """An absent ``error`` is ``{}`` in lists."""
        return {**self.charge(charge), **_NAMES, "error": charge.error.show() if charge.error else {}}

    def refund(self, refund: Refund) -> dict[str, Any]:
        return {
            "id": refund.id,
            "store_id": refund.charge.store_id,
            "charge_id": refund.charge.id,
            "ledger_id": None,
            "status": refund.status,
            "amount": refund.amount,
            "currency": refund.currency,
            "amount_formatted": formatted(refund.amount, refund.currency),
            "reason": refund.reason,
            "message": refund.message,
            "error": refund.error.show() if refund.error else None,
            "metadata": dict(refund.metadata),
            "mode": refund.charge.mode,
            "created_on": instant(refund.created),
            "updated_on": instant(refund.updated),
        }

    def cancel(self, cancel: Cancel) -> dict[str, Any]:
        return {
            "id": cancel.id,
            "charge_id": cancel.charge.id,
            "store_id": cancel.charge.store_id,
            "status": cancel.status,
            "error": cancel.error.show() if cancel.error else None,
            "metadata": dict(cancel.metadata),
            "mode": cancel.charge.mode,
            "created_on": instant(cancel.created),
            "updated_on": instant(cancel.updated),
        }

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def subscription(self, subscription: Subscription) -> dict[str, Any]:
        one, payment = subscription, subscription.payment
        shown: dict[str, Any] = {
            "id": one.id,
            "platform_id": _PLATFORM_ID,
            "merchant_id": one.token.merchant_id,
            "store_id": one.store_id,
            "transaction_token_id": one.token.id,
            "amount": one.amount,
            "currency": one.currency,
            "amount_formatted": formatted(one.amount, one.currency),
            "initial_amount": one.initial_amount,
            "initial_amount_formatted": formatted(one.initial_amount, one.currency),
            "subsequent_cycles_start": None,
            "schedule_settings": {
                "start_on": one.start_on.isoformat() if one.start_on else None,
                "zone_id": one.zone_id,
                "preserve_end_of_month": one.preserve_end_of_month,
                "retry_interval": one.retry_interval,
                "termination_mode": one.termination_mode,
            },
            "only_direct_currency": one.only_direct_currency,
            "descriptor": one.descriptor,
            "first_charge_capture_after": one.capture_after,
            "first_charge_authorization_only": one.authorization_only,
            "status": one.status,
            "metadata": dict(one.metadata),
            "mode": one.mode,
            "created_on": instant(one.created),
            "updated_on": instant(one.updated),
            "next_payment": self.payment(one, payment) if payment and not one.ended else None,
        }
        shown["period" if one.period else "cyclical_period"] = one.period or one.cyclical_period
        if one.three_ds is not None:
            shown["three_ds"] = dict(one.three_ds)
        if one.subscription_plan or one.installment_plan:
            shown |= self._limits(one)
        return shown

    def _limits(self, one: Subscription) -> dict[str, Any]:
        name = "subscription_plan" if one.subscription_plan else "installment_plan"
        cycles, left = one.plan.left(one.paid_count, one.paid)
        shown: dict[str, Any] = {
            name: dict(one.subscription_plan or one.installment_plan or {}),
            "cycles_left": cycles,
            "amount_left": left,
            "amount_left_formatted": formatted(left, one.currency),
        }
        if one.installment_plan:
            charges = self._state.charges.row(one.id)
            shown["charge_id"] = charges[0].id if len(charges) else None
        return shown

    def subscription_item(self, subscription: Subscription) -> dict[str, Any]:
        whole, token = self.subscription(subscription), subscription.token
        following = whole["next_payment"]
        return {
            **whole,
            **_NAMES,
            "payment_type": "card",
            "next_payment_date": following["due_date"] if following else None,
            "user_data": {
                "type": "card",
                "cardholder_name": token.card["cardholder"],
                "email": token.email,
                "brand": token.card["brand"],
            },
        }

    def payment(self, subscription: Subscription, payment: Payment) -> dict[str, Any]:
        return {
            "id": payment.id,
            "due_date": payment.due.isoformat(),
            "zone_id": subscription.zone_id,
            "amount": payment.amount,
            "currency": subscription.currency,
            "amount_formatted": formatted(payment.amount, subscription.currency),
            "is_paid": payment.is_paid,
            "is_last_payment": payment.is_last,
            "created_on": instant(payment.created),
            "updated_on": instant(payment.updated),
            "successful_payment_date": payment.paid_on.isoformat() if payment.paid_on else None,
            "retry_date": payment.retry_on.isoformat() if payment.retry_on else None,
            "retry_interval": payment.retry_interval,
            "terminate_with_status": payment.terminate_with,
        }

    # --- both together -----------------------------------------------------------------------------------------------

    def history_item(self, one: Charge | Refund) -> dict[str, Any]:
        """A line of the transaction history."""
        charge = one.charge if isinstance(one, Refund) else one
        user: Mapping[str, Any] = {
            "type": "refund" if isinstance(one, Refund) else "charge",
            "cardholder_name": charge.token.card["cardholder"],
            "cardholder_email_address": charge.token.email,
            "brand": charge.token.card["brand"],
        }
        if isinstance(one, Refund):
            user = {**user, "reason": one.reason}
        else:
            refunds = self._state.refunds.row(charge.id)
            user = {**user, "refunds": [_refund_line(refund) for refund in refunds]}
        return {
            "store_id": charge.store_id,
            "resource_id": one.id,
            "charge_id": charge.id if isinstance(one, Refund) else None,
            "amount": one.amount,
            "currency": one.currency,
            "amount_formatted": formatted(one.amount, one.currency),
            "type": user["type"],
            "status": one.status,
            "metadata": dict(one.metadata),
            "created_on": instant(one.created),
            "mode": charge.mode,
            **_NAMES,
            "payment_type": "card",
            "user_data": user,
            "bank_transfer_payment_status": None,
            "bank_transfer_latest_deposit_date": None,
            "mcp_token_id": None,
            "charge_type": None,
        }


def _refund_line(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.id,
        "amount": refund.amount,
        "currency": refund.currency,
        "amount_formatted": formatted(refund.amount, refund.currency),
        "status": refund.status,
        "reason": refund.reason,
    }
