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
        id store_id merchant_id charge_id refund_id cancel_id transaction_token_id subscription_id platform_id cursor
        paygate_charge paygate_refund paygate_contract idempotency-key
    """,
    links="endpoint issuer_token redirect_endpoint url",
    keep="""
        active amount amount_refunded authorized capture capture_at charged_amount charged_currency code created_on
        currency cursor_direction cyclical_period data enabled error errors event field from has_more
        initial_amount installment_plan issuer_token_call_method call_method items limit merchant_transaction_id
        metadata mode next_payment_date next_payment only_direct_currency payment_type payload_type platform_credentials
        polling reason recurring_type recurring_token_configuration configuration redirect refundable_amount
        requested_amount requested_currency retry_interval schedule_settings start_on status subsequent_cycles_start
        subscription_plan termination_mode three_ds three_ds_mode to total_hits transaction_token_type transaction_type
        triggers type updated_on usage_limit zone_id
    """,
    words="""
        cancels capture charges events heartbeat issuer_token me payments redeliver refunds resume simulate_plan stores
        subscriptions suspend three_ds tokens transaction_history unsuspend webhooks
    """,
)

#: provider fact sheet of Stripe §2 to §11
STRIPE = AllowList(
    provider="stripe",
    headers=f"{_HEADERS} idempotent-replayed stripe-version stripe-should-retry stripe-account",
    ids="""
        id charge customer payment_intent payment_method default_payment_method invoice latest_charge latest_invoice
        last_payment_error_charge subscription price product refund setup_intent balance_transaction ending_before
        starting_after session checkout_session test_clock source destination transfer payment latest_attempt
        paygate_charge paygate_refund paygate_contract paygate_checkout idempotency-key original-request request-id
        subscription_item subscription_details default_source failure_balance_transaction client_reference_id
        customer_account
    """,
    links="url return_url success_url cancel_url hosted_invoice_url receipt_url",
    keep="""
        active advice_code allow_redirects amount amount_capturable amount_due amount_paid amount_received
        amount_refunded amount_remaining anchor api_version application_fee_amount attempt_count attempted auto_advance
        automatic_payment_methods automatic_tax available_on billing_cycle_anchor billing_reason billing_scheme
        billing_thresholds brand cancel_at cancel_at_period_end canceled_at cancellation_details cancellation_reason
        capture_method captured card charges clear_exempted_payment_methods code collection_method comment confirm
        confirmation_method count created currency current_period_end current_period_start data days_until_due
        decline_code default_settings discounts disputed doc_url due_date enabled end end_date ended_at error
        error_on_requires_action exp_month exp_year expand expires_at failure_code failure_reason feedback flow_directions
        funding gte gt has_more interval interval_count invoice_settings items last_payment_error last_setup_error
        lines livemode locale lt lte limit mandate_data metadata method mode network network_advice_code
        network_decline_code next_action next_payment_attempt next_pending_invoice_item_invoice object off_session
        outcome paid param parent pause_collection payment_behavior payment_intent_data payment_method_options
        payment_method_types payment_settings payment_status payments pending_setup_intent period period_end
        period_start plan price_data processing proration_behavior proration_date quantity reason recurring
        redirect_to_url refunded refunds request_three_d_secure response_code risk_level save_default_payment_method
        seller_message_code setup_future_usage start start_date status status_transitions subscription_data
        subscription_item_details subtotal tax_behavior three_d_secure tiers_mode total total_count trial_end
        trial_start trial_settings type ui_mode unit_amount unit_amount_decimal usage usage_type use_stripe_sdk
    """,
    words="""
        advance attach balance cancel capture charges checkout confirm customers detach events expire finalize invoices
        invoice_items invoiceitems list pay payment_intents payment_methods prices products refunds resume search sessions
        setup_intents subscription_items subscriptions test_clocks test_helpers void webhook_endpoints account
    """,
)

#: All of them.
SHIPPED: Mapping[str, AllowList] = MappingProxyType({one.provider: one for one in (STRIPE, UNIVAPAY)})
