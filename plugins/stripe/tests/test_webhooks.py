"""What events of charges, refunds and checkouts mean: each names a resource, which is read again (§9, R-194, R-269)."""

from __future__ import annotations

import pytest

from paygate.errors import ConfigurationError, ProviderUnavailable
from paygate.flow import Response
from paygate.provider import EventKind, Outcome

MISSING = Response(404, {}, b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}')


@pytest.mark.parametrize("kind", ["succeeded", "processing", "requires_action", "payment_failed", "canceled"])
@pytest.mark.rule("R-194")
def test_an_event_about_a_charge_says_what_the_payment_is_now(shop, kind):
    told = {"id": "pi_1", "object": "payment_intent", "status": "processing", "amount": 1, "charges": {"data": []}}

    (event,) = shop.answers(shop.intent()).hear(shop.event(f"payment_intent.{kind}", told))

    assert shop.sent() == ["GET /v1/payment_intents/pi_1"]
    assert (event.kind, event.type) == (EventKind.CHARGE, f"payment_intent.{kind}")
    assert (event.event_id, event.reference, event.attempt_id) == ("evt_1", "pi_1", f"{1:032x}")
    assert event.charge.outcome is Outcome.SUCCEEDED
    assert event.charge.amount.minor == 3980


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [({}, Outcome.DECLINED), ({"return_url": "https://shop.example/paid"}, Outcome.PENDING)],
)
def test_a_bank_that_wants_confirmation_is_no_end_while_the_customer_is_still_to_be_asked(shops, settings, outcome):
    shop = shops(**settings)
    refused = shop.intent("requires_payment_method", last_payment_error={"code": "authentication_required"})

    (event,) = shop.answers(refused).hear(shop.event("payment_intent.payment_failed", {"id": "pi_1"}))

    assert (event.charge.outcome, event.charge.reference) == (outcome, "pi_1")


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.rule("R-247")
def test_an_event_about_a_refund_tells_that_it_failed_after_all(shop, kind):
    told = {"id": "re_1", "object": "refund", "status": "succeeded"}
    now = {
        **told,
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "metadata": {"paygate_refund": "r" * 32},
    }

    (event,) = shop.answers(now).hear(shop.event(kind, told))

    assert (event.kind, event.reference, event.attempt_id) == (EventKind.REFUND, "re_1", "r" * 32)
    assert (event.refund.outcome, event.refund.code) == (Outcome.DECLINED, "lost_or_stolen_card")


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("checkout.session.completed", "cs_test_1"),
        ("checkout.session.expired", "cs_test_1"),
        ("setup_intent.succeeded", "seti_1"),
        ("setup_intent.setup_failed", "seti_1"),
        ("setup_intent.canceled", "seti_1"),
    ],
)
def test_an_event_about_a_checkout_names_it(shop, kind, reference):
    (event,) = shop.hear(shop.event(kind, {"id": reference, "metadata": {"paygate_checkout": "d" * 32}}))

    assert (event.kind, event.reference) == (EventKind.CHECKOUT, reference)
    assert shop.requests == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("payment_intent.succeeded", {"id": "pi_1"}),
        ("refund.created", {"id": "re_1"}),
        ("customer.subscription.deleted", {"id": "sub_1"}),
        ("invoice.paid", {"id": "in_1"}),
    ],
)
def test_what_paygate_did_not_make_is_nothing_to_act_on(shop, kind, told):
    (event,) = shop.answers({**told, "metadata": {}, "status": "canceled"}).hear(shop.event(kind, told))

    assert (event.kind, event.reference) == (EventKind.OTHER, told["id"])


@pytest.mark.parametrize("kind", ["checkout.session.completed", "setup_intent.succeeded"])
def test_a_checkout_that_paygate_did_not_begin_is_nothing_to_act_on(shop, kind):
    (event,) = shop.hear(shop.event(kind, {"id": "cs_test_1", "metadata": {}}))

    assert event.kind is EventKind.OTHER


@pytest.mark.parametrize(
    "kind", ["payment_intent.succeeded", "refund.failed", "invoice.paid", "customer.subscription.deleted"]
)
def test_what_stripe_does_not_know_any_more_is_nothing_to_act_on(shop, kind):
    (event,) = shop.answers(MISSING).hear(shop.event(kind, {"id": "x_1"}))

    assert event.kind is EventKind.OTHER


@pytest.mark.parametrize(
    "kind", ["payment_intent.created", "charge.refunded", "charge.dispute.created", "payment_method.attached", "x.new"]
)
def test_any_other_event_is_authentic_and_nothing_to_act_on(shop, kind):
    (event,) = shop.hear(shop.event(kind, {"id": "xx_1"}))

    assert (event.kind, event.type, event.reference) == (EventKind.OTHER, kind, "xx_1")
    assert shop.requests == []


@pytest.mark.parametrize("told", [None, 5, [], {}, {"id": 5}, {"id": ""}, {"id": "../v1/refunds"}, {"id": "pi_1?x"}])
def test_an_event_that_names_no_resource_asks_for_none(shop, told):
    (event,) = shop.hear(shop.event("payment_intent.succeeded", told))

    assert (event.kind, event.reference) == (EventKind.OTHER, None)
    assert shop.requests == []


def test_an_event_of_the_other_mode_is_nothing_to_act_on(shop):
    (event,) = shop.hear(shop.event("payment_intent.succeeded", {"id": "pi_1"}, livemode=True))

    assert event.kind is EventKind.OTHER
    assert shop.requests == []


@pytest.mark.parametrize(
    ("own", "named", "acted"),
    [(None, None, True), (None, "acct_1234", False), ("acct_1234", "acct_1234", True), ("acct_1234", "acct_5678", False),
     ("acct_1234", None, True)],
)  # fmt: skip
def test_an_event_of_another_connected_account_is_nothing_to_act_on(shops, own, named, acted):
    shop = shops(stripe_account=own)
    changes = {} if named is None else {"account": named}

    (event,) = shop.answers(shop.intent()).hear(shop.event("payment_intent.succeeded", {"id": "pi_1"}, **changes))

    assert event.kind is (EventKind.CHARGE if acted else EventKind.OTHER)


@pytest.mark.parametrize("answer", [Response(500), Response(429), Response(200, {}, b"<html>")])
def test_an_event_whose_resource_cannot_be_read_now_is_left_to_be_delivered_again(shop, answer):
    with pytest.raises(ProviderUnavailable):
        shop.answers(answer).hear(shop.event("payment_intent.succeeded", {"id": "pi_1"}))


def test_an_event_whose_resource_may_not_be_read_says_which_setting_is_wrong(shop):
    with pytest.raises(ConfigurationError, match="api_key"):
        shop.answers(shop.error(), status=401).hear(shop.event("payment_intent.succeeded", {"id": "pi_1"}))


def test_nothing_of_an_event_is_kept_but_what_the_resource_says(shop):
    told = {"id": "pi_1", "receipt_email": "hanako@example.com"}

    (event,) = shop.answers(shop.intent()).hear(shop.event("payment_intent.succeeded", told))

    assert "hanako" not in repr(event.raw)
    assert event.raw == event.charge.raw


@pytest.mark.rule("R-314")
def test_a_refund_made_in_the_dashboard_names_the_payment_and_the_attempt_that_it_returns(shop):
    seen = {"id": "re_1", "object": "refund", "status": "succeeded", "amount": 700, "currency": "jpy", "metadata": {},
            "payment_intent": "pi_1", "charge": "ch_1"}  # fmt: skip

    (event,) = shop.answers(seen, shop.intent()).hear(shop.event("refund.created", {"id": "re_1"}))

    assert shop.sent() == ["GET /v1/refunds/re_1", "GET /v1/payment_intents/pi_1"]
    assert (event.kind, event.attempt_id, event.reference) == (EventKind.REFUND, None, "re_1")
    assert (event.charge_reference, event.charge_id) == ("pi_1", f"{1:032x}")
    assert (event.refund.outcome, event.refund.amount.minor) == (Outcome.SUCCEEDED, 700)


@pytest.mark.rule("R-314", "R-315")
def test_what_went_back_of_a_payment_in_all_is_a_part_of_its_result(shop):
    charge = {"id": "ch_1", "object": "charge", "created": 1_795_316_401, "amount_refunded": 900, "disputed": False}

    (event,) = shop.answers(shop.intent(latest_charge=charge)).hear(
        shop.event("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"})
    )

    assert (event.kind, event.charge.refunded.minor, event.charge.disputes) == (EventKind.CHARGE, 900, ())


@pytest.mark.rule("R-316")
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", "opened"),
        ("under_review", "opened"),
        ("warning_needs_response", "opened"),
        ("something_new", "opened"),
        ("warning_closed", "won"),
        ("won", "won"),
        ("lost", "lost"),
    ],
)
def test_a_dispute_is_read_again_and_holds_until_it_is_decided(shop, status, state):
    told = {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1", "charge": "ch_1", "status": "won"}
    seen = {**told, "status": status, "amount": 3980, "currency": "jpy", "reason": "fraudulent",
            "evidence_details": {"due_by": 1_795_921_200}}  # fmt: skip

    (event,) = shop.answers(seen, shop.intent()).hear(shop.event("charge.dispute.updated", told))

    assert (event.kind, event.reference) == (EventKind.DISPUTE, "dp_1")
    assert (event.charge_reference, event.charge_id) == ("pi_1", f"{1:032x}")
    assert (event.dispute.state.value, event.dispute.amount.minor, event.dispute.reason) == (state, 3980, "fraudulent")
    assert event.dispute.due_by.timestamp() == 1_795_921_200
