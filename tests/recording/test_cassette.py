"""Recording and replaying at the door to the network: under both drivers, through whole gateways, over real sockets."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
import uuid
from pathlib import Path

import anyio
import pytest

from paygate import AsyncGateway, Card, Customer, Gateway, Money, Plan, _door
from paygate.clock import SystemClock
from paygate.drivers import AsyncDriver, HttpSettings, NotSent, SyncDriver
from paygate.errors import ProviderUnavailable
from paygate.flow import Request, Response, send
from paygate.testing.clock import ManualClock
from paygate.testing.emulators import Emulator, Fault, FaultKind, serve
from paygate.testing.emulators.univapay import UnivaPayEmulator
from paygate.testing.recording import AllowList, Mode, Origin, OriginKind, Recording, cassette, scan_cassettes
from paygate_univapay import UnivaPay, UnivaPaySettings

HOME = "https://api.acme.test"
ACME = AllowList(provider="acme", headers="content-type", keep="amount status", ids="id", words="charges echo")
SAMPLE = Origin.sample("acme", "reference, charges")
JSON = {"content-type": "application/json"}
FAIL = pytest.fail.Exception


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "cassettes" / "acme.yaml"


def charge(amount: int = 500, home: str = HOME) -> Request:
    return Request("POST", f"{home}/charges", JSON, json.dumps({"amount": amount, "name": "hanako"}).encode())


def answer(**fields: object) -> Response:
    return Response(200, JSON, json.dumps({"id": "ch_12345", "status": "ok", **fields}).encode())


def exchange(request: Request, kind: str = "sync") -> Response:
    async def flow() -> Response:
        return await send(request)

    settings = HttpSettings(retries=0)
    if kind == "sync":
        with SyncDriver(SystemClock(), settings=settings) as driver:
            return driver.run(flow())

    async def main() -> Response:
        async with AsyncDriver(SystemClock(), settings=settings) as driver:
            return await driver.run(flow())

    return anyio.run(main, backend=kind)


def record(path: Path, *exchanges: tuple[Request, Response], origin: Origin = SAMPLE) -> None:
    with cassette(path, ACME, mode=Mode.ALL, origin=origin) as recording:
        for request, response in exchanges:
            recording.add(request, response)


def replay(path: Path):
    return cassette(path, ACME, mode=Mode.NONE)


# --- whole gateways ---


def member_and_refund(emulator: Emulator) -> dict[str, object]:
    return {
        "customer": Customer("cus_42", email="hanako@example.com"),
        "plan": Plan.recurring("Gold", Money(3000, "JPY")),
        "payment": Card("univapay", token=emulator.store_card()),
    }


def a_sync_gateway(options: dict[str, object], emulator: Emulator) -> list[str]:
    with Gateway(**options) as gateway:
        contract = gateway.contracts.create(**member_and_refund(emulator))
        options["clock"].advance(minutes=1)
        charged = gateway.charges.create(contract.id, Money(500, "JPY"), consent="form, 2026-01-15")
        refund = gateway.refunds.create(charged.id, Money(200, "JPY"), idempotency_key="rma-1")
        return [contract.status.value, charged.state.value, refund.state.value]


async def an_async_gateway(options: dict[str, object], emulator: Emulator) -> list[str]:
    async with AsyncGateway(**options) as gateway:
        contract = await gateway.contracts.create(**member_and_refund(emulator))
        options["clock"].advance(minutes=1)
        charged = await gateway.charges.create(contract.id, Money(500, "JPY"), consent="form, 2026-01-15")
        refund = await gateway.refunds.create(charged.id, Money(200, "JPY"), idempotency_key="rma-1")
        return [contract.status.value, charged.state.value, refund.state.value]


def runs(path: Path, kind: str, mode: Mode) -> list[str]:
    clock = ManualClock.jst(2026, 1, 15, 12)
    emulator = UnivaPayEmulator(clock)
    settings = UnivaPaySettings(**emulator.credentials_for_plugin(), **emulator.webhook_settings())
    options = {"database": "sqlite://", "providers": {"univapay": UnivaPay(settings)}, "clock": clock}
    with cassette(path, "univapay", mode=mode) as recording:
        recording.record_from(emulator)
        recording.knows(settings.store_id)
        if kind == "sync":
            states = a_sync_gateway(options, emulator)
        else:
            states = anyio.run(an_async_gateway, options, emulator, backend=kind)
    assert recording.unplayed == 0
    assert bool(emulator.requests) is (mode is Mode.ALL)
    return states


@pytest.mark.parametrize("recorded", ["sync", "asyncio", "trio"])
def test_what_one_gateway_recorded_every_gateway_replays(path, recorded) -> None:
    expected = ["ACTIVE", "SUCCEEDED", "DONE"]

    assert runs(path, recorded, Mode.ALL) == expected
    assert [runs(path, kind, Mode.NONE) for kind in ("sync", "asyncio", "trio")] == [expected] * 3
    assert scan_cassettes(path) == []
    assert "hanako" not in path.read_text()


# --- over real sockets ---


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_what_really_went_over_the_network_is_recorded_and_replayed(path, kind) -> None:
    with serve(UnivaPayEmulator(SystemClock())) as url:
        home = UnivaPayEmulator.origin
        stated = Origin.emulator("univapay", "0.1.0")
        with cassette(path, "univapay", mode=Mode.ALL, origin=stated, aliases={url: home}) as recording:
            refused = exchange(Request("GET", f"{url}/me"), kind)
        assert recording.exchanges[0][0].url == f"{home}/me"

    with cassette(path, "univapay", mode=Mode.NONE) as recording:
        again = exchange(Request("GET", f"{home}/me"), kind)

    assert (refused.status, refused.body) == (again.status, again.body)
    assert recording.origin == stated


def test_what_comes_from_this_machine_has_to_say_who_plays_the_provider(path) -> None:
    with (
        serve(UnivaPayEmulator(SystemClock())) as url,
        pytest.raises(FAIL, match=r"record_from\(emulator\)"),
        cassette(path, "univapay", mode=Mode.ALL),
    ):
        exchange(Request("GET", f"{url}/me"))

    assert not path.exists()


def test_what_comes_from_elsewhere_is_a_sandbox_with_the_day_of_the_recording(path) -> None:
    with cassette(path, ACME, mode=Mode.ALL) as recording:
        recording.arrived(charge(), answer())

    today = SystemClock().now().astimezone(dt.UTC).date()
    assert recording.origin in {Origin.sandbox("acme", today), Origin.sandbox("acme", today - dt.timedelta(days=1))}


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_a_line_that_broke_while_recording_stays_broken_and_is_not_recorded(path, kind) -> None:
    emulator = UnivaPayEmulator(SystemClock())
    emulator.faults.add(Fault(FaultKind.REFUSED))
    with cassette(path, "univapay", mode=Mode.ALL) as recording:
        recording.record_from(emulator)
        with pytest.raises(ProviderUnavailable) as caught:
            exchange(Request("GET", f"{emulator.origin}/me"), kind)
        exchange(Request("GET", f"{emulator.origin}/heartbeat"), kind)

    assert isinstance(caught.value.__cause__, NotSent)
    assert [request.url for request, _ in recording.exchanges] == [f"{emulator.origin}/heartbeat"]


# --- what the test sees ---


def test_a_recording_run_sees_what_a_replay_will_show_but_for_the_ids(path) -> None:
    with cassette(path, ACME, mode=Mode.ALL, origin=SAMPLE) as recording:
        shown = recording.arrived(charge(), answer(name="花子", amount=500))

    assert shown.json() == {"id": "ch_12345", "status": "ok", "name": "<text:2>", "amount": 500}
    with replay(path):
        assert exchange(charge()).json() == {**shown.json(), "id": "ch_xxxx1"}


def test_a_cassette_that_somebody_edited_is_sanitised_when_it_is_read(path) -> None:
    record(path, (charge(), answer(name="花子")))
    path.write_text(path.read_text().replace("<text:2>", "Hanako Yamada"))

    with replay(path) as recording:
        assert exchange(charge()).json()["name"] == "<text:13>"
    assert "Hanako" not in str([response.body for _, response in recording.exchanges])


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_the_same_request_gets_its_answers_in_their_order(path, kind) -> None:
    look = Request("GET", f"{HOME}/charges/ch_12345")
    record(path, (look, answer(status="pending")), (look, answer(status="paid")))

    with replay(path) as recording:
        assert recording.unplayed == 2
        assert [exchange(look, kind).json()["status"] for _ in range(2)] == ["pending", "paid"]
        assert recording.unplayed == 0
        with pytest.raises(FAIL, match="played as often as it was recorded"):
            exchange(look, kind)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (charge(501), "body"),
        (Request("GET", f"{HOME}/charges"), "method"),
        (Request("POST", f"{HOME}/charges?amount=5", JSON, charge().body), "uri"),
    ],
)
def test_a_request_has_to_match_in_method_url_and_body(path, asked, said) -> None:
    record(path, (charge(), answer()))

    with replay(path), pytest.raises(FAIL, match=said) as caught:
        exchange(asked)
    assert "hanako" not in str(caught.value)


def test_a_request_like_none_in_the_cassette_says_so(path) -> None:
    record(path, (charge(), answer()))

    with replay(path), pytest.raises(FAIL, match="it holds nothing similar"):
        exchange(Request("DELETE", f"{HOME}/echo", body=b"x"))


def test_a_missing_answer_cannot_be_taken_for_a_provider_that_is_down(path) -> None:
    assert not issubclass(FAIL, Exception)


def test_ids_that_the_test_makes_up_match_in_every_run_and_come_back_as_they_were_sent(path) -> None:
    def ask(identifier: str) -> Request:
        return Request("POST", f"{HOME}/echo", JSON, json.dumps({"id": identifier}).encode())

    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    record(path, (ask(first), answer(id=first)))

    with replay(path):
        assert exchange(ask(second)).json()["id"] == second


def test_an_id_from_elsewhere_is_named_beforehand(path) -> None:
    look = Request("GET", f"{HOME}/charges/store_7")
    with cassette(path, ACME, mode=Mode.ALL, origin=SAMPLE) as recording:
        recording.knows("store_7")
        recording.add(charge(), answer(id="store_7"))
        recording.add(look, answer())

    with replay(path) as recording:
        recording.knows("store_8")
        assert exchange(charge()).json()["id"] == "store_8"
        assert exchange(Request("GET", f"{HOME}/charges/store_8")).status == 200


# --- when to record ---


def test_once_records_what_is_missing_and_then_only_replays(path) -> None:
    def recorded() -> bool:
        with cassette(path, ACME, mode=Mode.ONCE, origin=SAMPLE) as recording:
            if recording.recording:
                recording.add(charge(), answer())
        return recording.recording

    assert [recorded(), recorded()] == [True, False]


@pytest.mark.parametrize(
    ("ci", "mode"), [("true", Mode.NONE), ("1", Mode.NONE), ("", Mode.ONCE), ("false", Mode.ONCE), ("0", Mode.ONCE)]
)
def test_nothing_is_recorded_under_continuous_integration(ci, mode) -> None:
    assert Mode.by_environment({"CI": ci}) is mode
    assert Mode.by_environment({}) is Mode.ONCE


def test_a_replay_leaves_the_answers_of_others_as_they_are(path) -> None:
    record(path, (charge(), answer()))

    with replay(path) as recording:
        assert recording.arrived(charge(), other := answer(name="花子")) is other


def test_a_missing_cassette_is_not_an_empty_one(path) -> None:
    with pytest.raises(FAIL, match="there is no cassette"), replay(path):
        pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not: a cassette", "not a cassette"),
        ("[", "not a cassette"),
        ("interactions: []\nversion: 1\n", "no 'origin'"),
        ("origin: {kind: emulator, provider: acme}\ninteractions: []\n", "does not say its detail"),
        ("origin: {kind: hearsay, provider: acme, detail: x}\ninteractions: []\n", "none of emulator"),
        ("origin: {kind: sandbox, provider: acme, detail: lately}\ninteractions: []\n", "isoformat"),
    ],
)
def test_a_file_that_is_no_cassette_or_hides_where_it_came_from_is_not_used(path, text, said) -> None:
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(FAIL, match=said), replay(path):
        pass


def test_recording_nothing_is_a_mistake(path) -> None:
    with pytest.raises(FAIL, match="A mounted emulator answers before it"), cassette(path, ACME, mode=Mode.ALL):
        pass


def test_what_an_error_cut_short_is_not_written(path) -> None:
    def cut_short() -> None:
        with cassette(path, ACME, mode=Mode.ALL, origin=SAMPLE) as recording:
            recording.add(charge(), answer())
            raise LookupError

    with pytest.raises(LookupError):
        cut_short()

    assert not path.exists()


def test_what_a_scan_finds_is_not_kept(path) -> None:
    with pytest.raises(FAIL, match="the cassette was not kept"):
        record(path, (charge(), answer()), origin=Origin(OriginKind.SANDBOX, "nobody-knows", "2026-01-15"))

    assert not path.exists()


def test_only_requests_of_paygate_meet_the_cassette(path) -> None:
    recording = Recording(path, ACME, mode=Mode.ALL)

    with serve(UnivaPayEmulator(SystemClock())) as url, _door.posted(recording):
        with urllib.request.urlopen(f"{url}/heartbeat", timeout=5) as answered:
            assert answered.status == 200
        assert recording.exchanges == ()
