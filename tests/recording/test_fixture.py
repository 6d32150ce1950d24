"""The fixture `paygate_cassette` in a user's tests."""

from __future__ import annotations

import pytest

import paygate.testing.recording  # noqa: F401 - else each run in this process would load it anew

pytest_plugins = ["pytester"]

TESTS = """
    import pytest
    from paygate.clock import SystemClock
    from paygate.drivers import SyncDriver
    from paygate.flow import Request, send
    from paygate.testing.emulators.univapay import UnivaPayEmulator
    from paygate.testing.recording import AllowList, Origin

    def ask(path="/heartbeat"):
        async def flow():
            return await send(Request("GET", UnivaPayEmulator.origin + path))

        with SyncDriver(SystemClock()) as driver:
            return driver.run(flow()).status

    @pytest.fixture
    def recording(paygate_cassette):
        paygate_cassette.record_from(UnivaPayEmulator(SystemClock()))
        return paygate_cassette
"""

ALIVE = """
    @pytest.mark.paygate_cassette("univapay")
    def test_alive(recording):
        assert ask() == 200
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs tests of a user, in this process for speed, on a machine that is no build server."""
    monkeypatch.delenv("CI", raising=False)

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_shop=TESTS + tests)
        return pytester.runpytest_inprocess("--strict-markers", *options)

    return run


def written(pytester: pytest.Pytester) -> list[str]:
    return sorted(path.relative_to(pytester.path).as_posix() for path in pytester.path.rglob("*.yaml"))


def test_a_cassette_is_recorded_beside_its_module_and_then_replayed(run, pytester) -> None:
    run(ALIVE).assert_outcomes(passed=1)
    assert written(pytester) == ["cassettes/test_shop/test_alive.yaml"]

    replayed = ALIVE.replace("assert ask() == 200", "assert (ask(), recording.recording) == (200, False)")
    run(replayed).assert_outcomes(passed=1)


def test_parameters_share_a_cassette_and_classes_do_not(run, pytester) -> None:
    run(
        """
    @pytest.mark.paygate_cassette("univapay")
    class TestShop:
        @pytest.mark.parametrize("kind", ["a", "b"])
        def test_alive(self, recording, kind):
            assert (ask(), recording.recording) == (200, kind == "a")

        @pytest.mark.paygate_cassette("univapay", name="shared")
        def test_named(self, recording):
            assert ask() == 200
    """
    ).assert_outcomes(passed=3)

    assert written(pytester) == ["cassettes/test_shop/TestShop.test_alive.yaml", "cassettes/test_shop/shared.yaml"]


def test_what_a_failed_test_recorded_is_not_written(run, pytester) -> None:
    run(ALIVE + "        assert ask('/me') == 200\n").assert_outcomes(failed=1)

    assert written(pytester) == []


def test_recording_anew_replaces_what_was_there(run, pytester) -> None:
    run(ALIVE).assert_outcomes(passed=1)
    changed = ALIVE.replace("ask() == 200", "ask('/me') == 401")

    run(changed).assert_outcomes(failed=1)
    run(changed, "--paygate-record=all").assert_outcomes(passed=1)
    run(changed, "--paygate-record=none").assert_outcomes(passed=1)


def test_under_continuous_integration_nothing_is_recorded(run, pytester, monkeypatch) -> None:
    monkeypatch.setenv("CI", "true")

    missing = run(ALIVE)
    asked = run(ALIVE, "--paygate-record=all")

    missing.assert_outcomes(errors=1)
    missing.stdout.fnmatch_lines(["*there is no cassette*test_alive.yaml; record it anew with --paygate-record=all*"])
    asked.assert_outcomes(errors=1)
    asked.stdout.fnmatch_lines(["*nothing is recorded under continuous integration*"])
    assert written(pytester) == []


def test_recording_does_not_open_the_way_to_the_network(run, pytester) -> None:
    result = run(ALIVE.replace("(recording)", "(paygate_cassette)"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the test would reach 'api.univapay.com'*"])


def test_a_provider_has_to_be_named(run) -> None:
    result = run("    def test_it(paygate_cassette): pass\n")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*say whose exchanges: @pytest.mark.paygate_cassette("univapay")*'])


def test_a_list_and_an_origin_of_ones_own_are_taken(run, pytester) -> None:
    run(
        """
    ACME = AllowList(provider="acme", words="heartbeat")

    @pytest.mark.paygate_cassette(ACME, origin=Origin.sample("acme", "reference, heartbeat"))
    def test_sample(paygate_cassette):
        from paygate.flow import Response
        paygate_cassette.add(Request("GET", "https://api.acme.test/heartbeat"), Response(200))
    """
    ).assert_outcomes(passed=1)

    (path,) = pytester.path.rglob("*.yaml")
    assert "published sample" in path.read_text()
