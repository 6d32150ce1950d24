"""The control interface, in process: money, faults, outcomes, customers, requests, reset."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from paygate.drivers.retry import Lost
from paygate.flow import Request
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import EMULATORS, CardKind, Fault, FaultKind, Wish, WishKind, load

PREFIX = "https://api.univapay.com/_paygate/"


@pytest.fixture
def control(emulator):
    """Sends to the control interface; returns the status and the decoded body."""

    def send(method, path, body=None):
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = emulator.handle(Request(method, PREFIX + path, body=content))
        return response.status, response.json()

    return send


def test_the_front_page_names_the_provider_its_credentials_and_every_route(emulator, control):
    status, page = control("GET", "")

    assert status == 200
    assert (page["provider"], page["base_url"]) == ("univapay", "https://api.univapay.com")
    assert page["credentials"] == emulator.credentials_for_plugin()
    assert page["webhook_settings"] == emulator.webhook_settings()
    assert "POST /_paygate/clock/advance" in page["routes"]


@pytest.mark.parametrize(
    ("method", "path", "status", "remedy"),
    [
        ("GET", "nothing", 404, "GET /_paygate/"),
        ("PATCH", "clock", 405, "use GET or PUT"),
        ("GET", "webhooks/delivery_9", 404, "GET /_paygate/webhooks"),
        ("DELETE", "faults/fault_9", 404, "GET /_paygate/faults"),
        ("DELETE", "outcomes/wish_9", 404, "GET /_paygate/outcomes"),
        ("GET", "book?before=1", 400, "use after"),
        ("GET", "book?after=-1", 400, "?after=10"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(control, method, path, status, remedy):
    answered, body = control(method, path)

    assert answered == status
    assert remedy in body["error"]["remedy"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"1", b"[" * 100_000, b"\xff", b'{"kind": "reset", "often": 3}', b'{"kind": NaN}']
)
def test_a_body_that_cannot_be_understood_is_refused(control, body):
    status, answer = control("POST", "faults", body)

    assert status == 400
    assert answer["error"]["remedy"]
    assert control("GET", "faults")[1] == {"faults": []}


# --- money -----------------------------------------------------------------------------------------------------------


def test_the_book_tells_every_movement_and_the_totals_by_currency(client, card, control, clock):
    first, second = client.paid(card, 3000), client.paid(card, 500)
    client.refund(first, 1000)
    clock.advance(seconds=1)

    status, book = control("GET", "book")

    assert status == 200
    assert book["totals"] == {"JPY": {"captured": 3500, "refunded": 1000}}
    assert [(row["kind"], row["amount"], row["currency"]) for row in book["movements"]] == [
        ("capture", 3000, "JPY"),
        ("capture", 500, "JPY"),
        ("refund", 1000, "JPY"),
    ]
    assert [row["id"] for row in book["movements"][:2]] == [first, second]
    assert book["movements"][2]["charge"] == first
    assert book["movements"][0]["at"] == "2026-11-22T03:00:00+00:00"
    assert control("GET", "book?after=2")[1]["movements"] == book["movements"][2:]


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_fault_strikes_what_it_matches_as_often_as_it_should_and_then_is_gone(client, card, control):
    fault = {"kind": "error", "when": "after", "match": "POST /charges", "times": 2, "status": 503}
    status, added = control("POST", "faults", fault)
    listed = control("GET", "faults")[1]["faults"]
    struck = [client.charge(card, amount).status for amount in (1, 2, 3)]

    assert (status, listed) == (201, added["faults"])
    assert {name: listed[0][name] for name in ("kind", "when", "match", "left", "status")} == {
        "kind": "error",
        "when": "after",
        "match": "POST /charges",
        "left": 2,
        "status": 503,
    }
    assert struck == [503, 503, 201]
    assert len(client.emulator.charges) == 3
    assert control("GET", "faults")[1]["faults"] == []


def test_a_fault_is_taken_back_by_its_id_and_all_are_cleared_together(client, control):
    kept = control("POST", "faults", {"kind": "reset"})[1]["id"]
    gone = control("POST", "faults", {"kind": "timeout"})[1]["id"]

    assert control("DELETE", f"faults/{gone}") == (200, {"id": gone})
    assert [fault["id"] for fault in control("GET", "faults")[1]["faults"]] == [kept]
    with pytest.raises(Lost):
        client.send("GET", "/me")
    control("POST", "faults", {"kind": "reset", "times": 9})
    assert control("DELETE", "faults") == (200, {"faults": []})
    assert client.send("GET", "/me").status == 200


def test_a_fault_that_was_added_in_python_is_listed_too(emulator, control):
    emulator.faults.add(Fault(FaultKind.SLOW, seconds=7), match=lambda _request: False)

    [listed] = control("GET", "faults")[1]["faults"]
    assert (listed["kind"], listed["seconds"], listed["match"]) == ("slow", 7, "(a function)")


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ({}, "refused, timeout, reset"),
        ({"kind": "fire"}, "refused, timeout, reset"),
        ({"kind": 3}, "refused, timeout, reset"),
        ({"kind": "reset", "when": "never"}, "before, after"),
        ({"kind": "reset", "match": "charges"}, "POST /charges"),
        ({"kind": "reset", "times": 0}, "from 1"),
        ({"kind": "reset", "times": True}, "whole number"),
        ({"kind": "slow", "seconds": 3601}, "from 0 to 3600"),
        ({"kind": "error", "status": 200}, "from 400 to 599"),
        ({"kind": "refused", "when": "after"}, "leave when out"),
    ],
)
def test_an_impossible_fault_is_refused_with_what_is_possible(control, fault, remedy):
    status, body = control("POST", "faults", fault)

    assert status == 400
    assert remedy in body["error"]["remedy"]


def test_no_fault_strikes_the_control_interface(emulator, control):
    emulator.faults.add(Fault(FaultKind.RESET))

    assert control("GET", "book")[0] == 200
    assert len(emulator.faults) == 1


# --- outcomes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ({"kind": "decline", "code": "310"}, "failed", 310),
        ({"kind": "decline"}, "failed", 306),
        ({"kind": "succeed"}, "successful", None),
        ({"kind": "pending"}, "pending", None),
        ({"kind": "pending", "seconds": 60}, "pending", None),
        ({"kind": "action"}, "awaiting", None),
        ({"kind": "error"}, "error", 500),
    ],
)
def test_the_next_payment_goes_as_it_was_told_and_the_one_after_as_its_card_says(
    client, control, clock, card, outcome, status, code
):
    assert control("POST", "outcomes", outcome)[0] == 201
    told, usual = client.charge(card, 100).json()["id"], client.charge(card, 200).json()["id"]
    clock.advance(seconds=5)

    charge = client.get(f"/charges/{told}")
    assert (charge["status"], (charge["error"] or {}).get("code")) == (status, code)
    assert client.get(f"/charges/{usual}")["status"] == "successful"
    assert control("GET", "outcomes")[1] == {"outcomes": []}


@pytest.mark.parametrize("field", ["credential", "token", "amount", "card"])
def test_an_outcome_waits_for_the_payment_it_is_for(client, control, clock, card, field):
    other = client.emulator.add_card("4111111111111111")
    wanted = {"credential": card, "token": card, "amount": 100, "card": "4000-0200 00000000"}[field]
    control("POST", "outcomes", {"kind": "decline", "code": "310", field: wanted, "times": 2})
    unfit = client.charge(other, 999).json()["id"]
    fit = [client.charge(card, 100).json()["id"]]
    clock.advance(minutes=1)
    fit.append(client.charge(card, 100).json()["id"])
    clock.advance(minutes=1)
    fit.append(client.charge(card, 100).json()["id"])
    clock.advance(seconds=1)

    codes = [(client.get(f"/charges/{one}")["error"] or {}).get("code") for one in [unfit, *fit]]
    assert codes == [306, 310, 310, None]


def test_a_card_number_in_an_outcome_is_shown_to_nobody(emulator, control):
    number = "4111 1111 1111 1111"
    status, answer = control("POST", "outcomes", {"kind": "decline", "card": number})

    shown = json.dumps([answer, control("GET", "outcomes"), control("GET", "requests")])
    assert status == 201
    assert answer["outcomes"][0]["card"] == "…1111"
    for text in (shown, repr(emulator.wishes.waiting), repr(vars(emulator.wishes))):
        assert number not in text
        assert number.replace(" ", "") not in text


def test_an_outcome_is_taken_back_by_its_id_and_all_are_cleared_together(control):
    kept = control("POST", "outcomes", {"kind": "decline"})[1]["id"]
    gone = control("POST", "outcomes", {"kind": "pending"})[1]["id"]

    assert control("DELETE", f"outcomes/{gone}") == (200, {"id": gone})
    assert [outcome["id"] for outcome in control("GET", "outcomes")[1]["outcomes"]] == [kept]
    assert control("DELETE", "outcomes") == (200, {"outcomes": []})
    assert control("GET", "outcomes") == (200, {"outcomes": []})


@pytest.mark.parametrize(
    ("outcome", "remedy"),
    [
        ({"amount": 3}, "succeed, decline"),
        ({"kind": "explode"}, "succeed, decline"),
        ({"kind": "decline", "code": 306}, "as a text"),
        ({"kind": "decline", "amount": 0}, "from 1"),
        ({"kind": "pending", "seconds": -1}, "from 0"),
        ({"kind": "pending", "card": 4111}, "as a text"),
    ],
)
def test_an_impossible_outcome_is_refused_with_what_is_possible(control, outcome, remedy):
    status, body = control("POST", "outcomes", outcome)

    assert status == 400
    assert remedy in body["error"]["remedy"]


def test_a_wish_for_no_payment_is_refused(emulator):
    with pytest.raises(ValueError, match="one payment or more"):
        emulator.wish(Wish(WishKind.SUCCEED), times=0)


# --- cards and customers ---------------------------------------------------------------------------------------------


def test_cards_are_stored_by_what_they_do(client, control, clock):
    status, stored = control("POST", "cards", {"kind": "declined_soft"})
    charge = client.charge(stored["credential"]).json()["id"]
    clock.advance(seconds=1)

    assert (status, stored["kind"]) == (201, "declined_soft")
    assert client.get(f"/charges/{charge}")["status"] == "failed"
    assert control("POST", "cards")[1]["kind"] == "good"
    assert control("POST", "cards", {"kind": "golden"})[0] == 400


@pytest.mark.parametrize(("passed", "status"), [(None, "successful"), (True, "successful"), (False, "failed")])
def test_the_customer_decides_what_waits_for_them(client, control, clock, passed, status):
    card = control("POST", "cards", {"kind": "action_required"})[1]["credential"]
    charge = client.charge(card).json()["id"]
    clock.advance(seconds=1)
    waiting = control("GET", "approve")[1]["waiting"]

    answered = control("POST", "approve", {"id": charge} | ({} if passed is None else {"passed": passed}))

    assert waiting == [charge]
    assert answered == (200, {"id": charge, "passed": passed is not False, "return_url": None})
    assert client.get(f"/charges/{charge}")["status"] == status
    assert control("GET", "approve") == (200, {"waiting": []})


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"id": "nothing"}, 404), ({"id": "x", "passed": "yes"}, 400)])
def test_nobody_decides_what_does_not_wait(control, body, status):
    answered, answer = control("POST", "approve", body)

    assert answered == status
    assert answer["error"]["remedy"]


def decide(emulator, url, passed):
    return emulator.handle(Request("POST", url, body=urlencode({"passed": passed}).encode()))


@pytest.mark.parametrize(
    ("passed", "title", "status"), [("true", b"Confirmed", "successful"), ("false", b"Failed", "failed")]
)
def test_a_browser_finds_a_page_with_the_two_ways_to_decide(client, clock, passed, title, status):
    emulator = client.emulator
    charge = client.charge(emulator.store_card(CardKind.ACTION_REQUIRED)).json()["id"]
    clock.advance(seconds=1)
    url = emulator.customer_url(charge)

    page = emulator.handle(Request("GET", url))
    decided = decide(emulator, url, passed)
    again = decide(emulator, url, passed)

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert charge.encode() in page.body
    assert (decided.status, title in decided.body) == (200, True)
    assert client.get(f"/charges/{charge}")["status"] == status
    assert again.status == 404


def test_the_page_leads_back_to_the_shop(client, clock):
    emulator = client.emulator
    card = emulator.store_card(CardKind.ACTION_REQUIRED)
    charge = client.charge(
        card, three_ds={"mode": "require", "redirect_endpoint": "https://shop.example/thanks"}
    ).json()["id"]
    clock.advance(seconds=1)

    decided = decide(emulator, emulator.customer_url(charge), "true")

    assert decided.status == 303
    assert decided.headers["location"].startswith("https://shop.example/thanks")


def test_an_id_on_the_page_cannot_bring_markup_along(emulator):
    page = emulator.handle(Request("GET", emulator.customer_url("<script>/x")))

    assert page.status == 404
    assert b"<script>" not in page.body


# --- requests --------------------------------------------------------------------------------------------------------


def test_what_was_received_is_listed_without_secrets_and_card_numbers(client, card, control):
    emulator = client.emulator
    client.token("4111111111111111", data={"cardholder": "HANAKO"})
    client.charge(card, 3000)
    client.get("/charges", limit="1", secret="hush")
    client.send("POST", "/charges", b"card 4111111111111111")

    status, answer = control("GET", "requests")

    text = json.dumps(answer)
    token, charge, listing, strange = answer["requests"]
    assert status == 200
    for secret in ("4111111111111111", "HANAKO", "hush", *emulator.credentials_for_plugin().values()):
        assert secret not in text
    assert (token["method"], token["path"], token["status"]) == ("POST", "/tokens", 201)
    assert token["body"]["payment_type"] == "card"
    assert token["headers"]["authorization"] == "<str>"
    assert (charge["body"]["amount"], charge["body"]["transaction_token_id"]) == (3000, "<str>")
    assert listing["query"] == {"limit": "1", "secret": "<str>"}
    assert strange["body"] == "<21 bytes>"
    assert charge["at"] == "2026-11-22T03:00:00+00:00"


def test_a_form_is_shown_field_by_field(emulator, control):
    form = {"amount": "5", "card[number]": "4111111111111111", "expand[]": "customer", "items[0][quantity]": "2"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    emulator.handle(Request("POST", "https://api.univapay.com/charges", headers, urlencode(form).encode()))

    [request] = control("GET", "requests")[1]["requests"]
    assert request["body"] == {
        "amount": "5",
        "card[number]": "<str>",
        "expand[]": "customer",
        "items[0][quantity]": "2",
    }


def test_a_request_without_an_answer_is_listed_without_a_status(client, control):
    client.emulator.faults.add(Fault(FaultKind.TIMEOUT))
    with pytest.raises(Lost):
        client.send("GET", "/me")

    [request] = control("GET", "requests")[1]["requests"]
    assert (request["path"], request["status"], request["body"]) == ("/me", None, None)


def test_the_control_interface_is_not_among_the_requests_and_they_can_be_forgotten(client, control):
    control("GET", "book")
    client.send("GET", "/me")

    assert [request["path"] for request in control("GET", "requests")[1]["requests"]] == ["/me"]
    assert control("DELETE", "requests") == (200, {"requests": []})
    assert client.emulator.requests == ()


def test_only_so_much_of_what_was_received_is_kept(client):
    for _ in range(30):
        client.send("POST", "/tokens", b"x" * 100_000)

    kept = client.emulator.requests
    assert 10 < len(kept) < 25
    assert sum(len(request.body) for request in kept) < 2 * 1024 * 1024


# --- every emulator --------------------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(EMULATORS))
def each(request):
    return load(request.param)(ManualClock.jst(2026, 11, 22, 12))


def test_every_emulator_goes_by_the_name_under_which_it_is_listed(request, each):
    assert EMULATORS[each.name].endswith(f":{type(each).__name__}")
    assert each.origin.startswith("https://")
    assert each.base_url == each.origin


def test_every_emulator_has_texts_for_credentials_and_one_for_webhooks(each):
    assert each.credentials_for_plugin()
    assert all(isinstance(value, str) and value for value in each.credentials_for_plugin().values())
    assert list(each.webhook_settings().values()) == [each.webhook_secret]
    assert each.credentials_for_plugin() == type(each)(each.clock).credentials_for_plugin()


def test_every_emulator_stores_every_kind_of_card(each):
    stored = [each.store_card(kind) for kind in CardKind]

    assert len(set(stored)) == len(CardKind)


def test_every_emulator_lets_nobody_decide_what_does_not_wait(each):
    assert list(each.awaiting()) == []
    with pytest.raises(KeyError):
        each.approve("nothing-of-the-kind")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_every_emulator_has_errors_of_its_providers_form(each, status):
    answer = each.error_response(status)

    assert answer.status == status
    assert not answer.body or json.loads(answer.body)


def test_every_emulator_begins_again_but_keeps_time_and_credentials(each):
    credentials, now = each.credentials_for_plugin(), each.clock.now()
    each.clock.advance(days=3)
    each.set_webhook_target("https://shop.example/hooks")
    each.wish(Wish(WishKind.DECLINE))
    each.faults.add(Fault(FaultKind.RESET), match="POST /nowhere")
    each.handle(Request("GET", each.origin + "/"))
    each.outbox.held = True

    each.reset()

    assert (each.requests, each.wishes.waiting, each.faults.coming) == ((), (), ())
    assert (each.outbox.held, each.outbox.attempts, each.book.movements) == (False, (), ())
    assert each.credentials_for_plugin() == credentials
    assert (each.clock.now() - now).days == 3
    assert each.store_card()


def test_a_reset_forgets_what_the_provider_knew(client, card, control):
    charge = client.paid(card)
    assert control("POST", "reset") == (200, {})

    assert client.send("GET", f"{client.store}/charges/{charge}").status == 404
    assert client.charge(card).status == 404
    assert control("GET", "book")[1] == {"movements": [], "count": 0, "totals": {}}
    assert client.charge(client.emulator.add_card()).status == 201


def test_a_reset_is_followed_by_what_whoever_serves_it_prepared(emulator, control):
    emulator.control.prepare = lambda: {"card": emulator.store_card()}

    status, answer = control("POST", "reset")

    assert status == 200
    assert emulator.wishes.waiting == ()
    assert answer["card"]
