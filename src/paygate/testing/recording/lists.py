"""The allow-lists that come with paygate, by provider.

Left out on purpose although plugins meet them: names, addresses, telephone numbers, e-mail, free text such as messages
and descriptions, the digits of cards, secrets of clients and of webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .allowlist import AllowList

__all__ = ["SHIPPED", "STRIPE", "UNIVAPAY"]

_HEADERS = "accept content-type date retry-after"

#: provider fact sheet of UnivaPay §5 to §13, §15
UNIVAPAY = AllowList(
    provider="univapay",
    headers=f"{_HEADERS} idempotency-status",
    ids="""
        cancel_id charge_id cursor id idempotency-key merchant_id merchant_transaction_id paygate_charge paygate_contract paygate_refund
        platform_id refund_id store_id subscription_id transaction_token_id
    """,
    links="endpoint issuer_token redirect_endpoint url",
    keep="""
        active amount amount_refunded authorized brand call_method capture capture_at card charged_amount
        charged_currency code configuration created_on currency cursor_direction cyclical_period data due_date enabled
        error errors event field from has_more initial_amount installment_plan issuer_token_call_method items limit
        metadata mode next_payment next_payment_date only_direct_currency paygate_anchor_day payload_type payment_type
        period platform_credentials polling reason recurring_token_configuration recurring_type redirect
        refundable_amount requested_amount requested_currency retry_date retry_interval schedule_settings start_on
        status subscription_plan subsequent_cycles_start successful_payment_date terminate_with_status termination_mode
        three_ds three_ds_mode to total_hits transaction_token_type transaction_type triggers type updated_on
        usage_limit zone_id
    """,
    words="""
        cancels capture charges events heartbeat issuer_token me payments redeliver refunds resume simulate_plan
        stores subscriptions suspend three_ds tokens transaction_history unsuspend webhooks
    """,
)

#: provider fact sheet of Stripe §2 to §11
STRIPE = AllowList(
    provider="stripe",
    headers=f"{_HEADERS} idempotent-replayed stripe-version stripe-should-retry stripe-account",
    ids="""
        balance_transaction charge checkout_session client_reference_id customer customer_account
        default_payment_method default_source destination ending_before failure_balance_transaction id idempotency-key
        invoice last_payment_error_charge latest_attempt latest_charge latest_invoice original-request paygate_charge
        paygate_checkout paygate_contract paygate_customer paygate_refund payment payment_intent payment_method price
        product refund request-id session setup_intent source starting_after subscription subscription_details
        subscription_item test_clock transfer
    """,
    links="url return_url success_url cancel_url hosted_invoice_url receipt_url",
    keep="""
        active advice_code allow_redirects allowed_payment_method_types amount amount_capturable amount_captured
        amount_details amount_due amount_paid amount_received amount_refunded amount_remaining anchor api_version
        application_fee_amount attempt_count attempted auto_advance automatic_payment_methods automatic_tax available
        available_on billing_cycle_anchor billing_cycle_anchor_config billing_reason billing_scheme billing_thresholds
        brand cancel_at cancel_at_period_end canceled_at cancellation_details cancellation_reason capture_method
        captured card charges clear_exempted_payment_methods code collection_method confirm
        confirmation_method count created currency current_period_end current_period_start data day_of_month
        days_until_due decline_code default_settings discounts disputed doc_url due_date enabled end end_date ended_at
        error error_on_requires_action exp_month exp_year expand expires_at failure_code failure_reason feedback
        finalized_at first_charge_at flow_directions funding gt gte has_more hour interval interval_count
        invoice_settings items last_payment_error last_setup_error limit lines livemode locale lt lte mandate_data
        metadata method minute mode month network network_advice_code network_decline_code network_status networks
        next_action next_payment_attempt next_pending_invoice_item_invoice object off_session outcome paid paid_at
        param parent pause_collection payment_behavior payment_intent_data payment_method_details
        payment_method_options payment_method_types payment_settings payment_status payments pending_reason
        pending_setup_intent period period_end period_start plan preferred price_data processing proration_behavior
        proration_date quantity reason recurring redirect_to_url refunded refunds request_three_d_secure response_code
        risk_level save_default_payment_method second seller_message_code setup_future_usage start start_date status
        status_transitions subscription_data subscription_item_details subtotal tax_behavior three_d_secure tiers_mode
        total total_count trial_end trial_settings trial_start type ui_mode unit_amount unit_amount_decimal usage
        usage_type use_stripe_sdk voided_at
    """,
    words="""
        account advance attach balance cancel capture charges checkout confirm customers detach events expire finalize
        invoice_items invoiceitems invoices list pay payment_intents payment_methods prices products refunds resume
        search sessions setup_intents subscription_items subscriptions test_clocks test_helpers void webhook_endpoints
    """,
)

#: All of them.
SHIPPED: Mapping[str, AllowList] = MappingProxyType({one.provider: one for one in (STRIPE, UNIVAPAY)})
