"""Who the merchant of the emulated UnivaPay is: ``/me``, ``/stores``, ``/checkout_info``, customer ids."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from ....flow import Response
from .auth import Caller, Credentials
from .shelf import Shelf
from .state import State
from .views import MERCHANT_NAME, STORE_NAME
from .wire import ApiError, instant, page, reply

__all__ = ["Accounts"]

_FOUNDED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_BRANDS = ("visa", "mastercard", "jcb", "american_express", "diners_club", "discover")
_PERIODS = ("daily", "weekly", "biweekly", "monthly", "quarterly", "semiannually", "annually")


class _Store:
    """A store as a record of a list."""

    def __init__(self, store_id: str) -> None:
        self.id, self.created, self.serial = store_id, _FOUNDED, 0


class Accounts:
    """The merchant, its stores, and what they may do."""

    def __init__(self, state: State, known: Mapping[str, Credentials]) -> None:
        self._state = state
        self._known = known

    def me(self, caller: Caller) -> Response:
        return reply(
            200,
            {
                "id": caller.merchant_id,
                "verification_data_id": "11f0a1b2-0000-4a00-8000-00000000a002",
                "name": MERCHANT_NAME,
                "email": "owner@shop.example",
                "notification_email": "owner@shop.example",
                "finance_notification_email": "owner@shop.example",
                "verified": True,
                "configuration": self._configuration(),
                "created_on": instant(_FOUNDED),
            },
        )

    def stores(self, caller: Caller, query: Mapping[str, str]) -> Response:
        """The stores that the caller sees: its own, or all of the merchant."""
        shelf: Shelf[_Store] = Shelf()
        if query.get("search", "").lower() in STORE_NAME.lower():
            for store_id in self._visible(caller):
                shelf.add(_Store(store_id))
        return page(shelf.row(), query, lambda store: self._show(caller, store.id), total=False)

    def store(self, caller: Caller, store_id: str) -> Response:
        if store_id not in self._visible(caller):
            raise ApiError.missing()
        return reply(200, self._show(caller, store_id) | {"configuration": self._configuration()})

    def customer_id(self, caller: Caller, body: Mapping[str, Any]) -> Response:
        """A stable id for the merchant's own: the same for the same store and text, and nothing is stored."""
        caller.need_secret()
        own = body.get("customer_id")
        if not isinstance(own, str) or not own:
            raise ApiError.invalid("customer_id", "REQUIRED_VALUE")
        return reply(200, {"customer_id": str(uuid.uuid5(uuid.UUID(caller.store_id), own))})

    def checkout_info(self, caller: Caller) -> Response:
        """What the browser's widget may offer."""
        configuration = self._configuration()
        brands = [
            {
                "brand": brand,
                "card_brand": brand,
                "online_brand": None,
                "payment_type": "card",
                "support_auth_capture": True,
                "requires_full_name": False,
                "support_dynamic_descriptor": self._state.behaviour.descriptors,
                "requires_cvv": self._state.behaviour.cvv_required,
                "countries_allowed": None,
                "supported_currencies": ["JPY", "USD"],
                "cvv_auth": True,
                "installment_capable": self._state.behaviour.installments,
            }
            for brand in _BRANDS
        ]
        off = {"enabled": False}
        return reply(
            200,
            {
                "mode": caller.mode,
                "recurring_token_privilege": self._state.behaviour.recurring_privilege,
                "name": STORE_NAME,
                "card_configuration": configuration["card_configuration"],
                "subscription_configuration": configuration["subscription_configuration"],
                "installments_configuration": {
                    "enabled": self._state.behaviour.installments,
                    "only_with_processor": True,
                },
                "subscription_plan_configuration": {"enabled": True, "periods": list(_PERIODS)},
                "checkout_configuration": {"ec_email": off, "ec_products": off},
                "qr_scan_configuration": off,
                "convenience_configuration": off,
                "paidy_configuration": off,
                "paidy_public_key": None,
                "logo_image": None,
                "theme": {"colors": {}},
                "recurring_card_charge_cvv_confirmation": self._cvv_confirmation(),
                "online_configuration": off,
                "bank_transfer_configuration": off,
                "supported_brands": brands,
            },
        )

    def _visible(self, caller: Caller) -> list[str]:
        if caller.store_id:
            return [caller.store_id]
        mine = (one.store_id for one in self._known.values() if one.merchant_id == caller.merchant_id)
        return [store_id for store_id in dict.fromkeys(mine) if store_id]

    def _show(self, caller: Caller, store_id: str) -> dict[str, Any]:
        return {
            "id": store_id,
            "merchant_id": caller.merchant_id,
            "merchant_name": MERCHANT_NAME,
            "name": STORE_NAME,
            "created_on": instant(_FOUNDED),
        }

    def _cvv_confirmation(self) -> dict[str, Any]:
        threshold = self._state.behaviour.cvv_threshold
        limits = [{"amount": amount, "currency": currency} for currency, amount in threshold.items()]
        return {"enabled": bool(limits), "threshold": limits}

    def _configuration(self) -> dict[str, Any]:
        behaviour = self._state.behaviour
        bounds = behaviour.charge_bounds.items()
        wait = f"PT{behaviour.charge_wait_period:.0f}S" if behaviour.charge_wait_period else None
        cooldown = None if behaviour.duplicate_window is None else f"PT{behaviour.duplicate_window:.0f}S"
        return {
            "recurring_token_configuration": {
                "recurring_type": behaviour.recurring_privilege,
                "charge_wait_period": wait,
                "card_charge_cvv_confirmation": self._cvv_confirmation(),
            },
            "security_configuration": {
                "card_charge_cooldown": cooldown,
                "idempotent_card_charge_cooldown": f"PT{behaviour.key_life:.0f}S",
            },
            "subscription_configuration": {
                "enabled": True,
                "failed_charges_to_cancel": behaviour.subscription_tries,
                "suspend_on_cancel": behaviour.subscription_exhausted == "suspended",
            },
            "card_configuration": {
                "enabled": True,
                "debit_enabled": True,
                "prepaid_enabled": True,
                "debit_authorization_enabled": True,
                "prepaid_authorization_enabled": True,
                "forbidden_card_brands": [],
                "foreign_cards_allowed": True,
                "fail_on_new_email": False,
                "allow_empty_cvv": not behaviour.cvv_required,
                "only_direct_currency": False,
                "three_ds_required": behaviour.three_ds_required,
                "three_ds_address_required": False,
                "three_ds_phone_number_required": False,
                "three_ds_skip_enabled": True,
                "allow_direct_token_creation": behaviour.raw_cards,
            },
            "minimum_charge_amounts": [{"amount": least, "currency": currency} for currency, (least, _) in bounds],
            "maximum_charge_amounts": [{"amount": most, "currency": currency} for currency, (_, most) in bounds],
        }
