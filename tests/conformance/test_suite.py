"""The suite as a plugin author meets it: one test per case, a guard against removed cases, failures that explain."""

from __future__ import annotations

import pytest

from paygate.errors import ConfigurationError, InvalidValue, PluginError
from paygate.provider import Capabilities, ChargeRequest, ChargeResult, Provider
from paygate.testing import FakeStripe
from paygate.testing.conformance import (
    CaseFailed,
    Group,
    Level,
    NotApplicable,
    ProviderConformance,
    case,
    cases_of,
    overrides_case,
)
from paygate.testing.conformance.runner import Result, Verdict, run, suite_for, verdict

from .acme import Acme, AcmeEmulator
from .broken.charging import TakesATimeOutForADecline

CASES = cases_of(ProviderConformance)


class Whole(ProviderConformance):
    provider = Acme
    emulator = AcmeEmulator


def guard(suite: type[ProviderConformance]) -> None:
    suite().test_every_case_of_the_kit_is_there()


# --- the cases -------------------------------------------------------------------------------------------------------


def test_there_are_more_than_sixty_cases_on_three_levels() -> None:
    levels = [one.level for one in CASES.values()]

    assert len(CASES) > 60
    assert all(levels.count(level) > 10 for level in Level)


def test_every_case_has_an_id_of_its_own_a_claim_a_reason_and_a_remedy() -> None:
    ids = [one.id for one in CASES.values()]

    assert len(set(ids)) == len(ids)
    for one in CASES.values():
        assert one.claim[0] == one.claim[0].lower() or one.claim.startswith("HTTP"), one.id
        assert one.why.endswith((".", "?")), one.id
        assert one.fix.endswith("."), one.id


def test_every_test_of_the_suite_is_a_case() -> None:
    tests = {name for name in dir(ProviderConformance) if name.startswith("test_")}

    assert tests == set(CASES)


def test_no_group_of_cases_hides_a_helper_of_another() -> None:
    own = [name for kind in ProviderConformance.__mro__ for name in vars(kind) if not name.startswith("__")]
    shared = {name for name in own if own.count(name) > 1}

    assert shared == set()


def test_every_group_has_a_title() -> None:
    assert all(group.title for group in Group)


# --- overriding ------------------------------------------------------------------------------------------------------


def test_the_guard_accepts_an_untouched_suite() -> None:
    guard(Whole)


def test_the_guard_names_a_case_that_was_removed() -> None:
    class Without(Whole):
        test_two_attempts_are_two_charges = None  # type: ignore[assignment]

    with pytest.raises(CaseFailed, match=r"CHARGE-05 .* was removed"):
        guard(Without)


def test_the_guard_names_a_case_that_is_overridden_without_a_reason() -> None:
    class Quiet(Whole):
        def test_two_attempts_are_two_charges(self) -> None:
            pass

    with pytest.raises(CaseFailed, match=r"CHARGE-05 .* without a reason"):
        guard(Quiet)


def test_the_guard_accepts_a_case_that_is_overridden_with_a_reason() -> None:
    class Reasoned(Whole):
        @overrides_case(reason="acme merges charges of one second")
        def test_two_attempts_are_two_charges(self) -> None:
            pass

        @pytest.mark.xfail(reason="waiting for acme's next release")
        def test_an_action_has_a_link(self) -> None:
            super().test_an_action_has_a_link()

    guard(Reasoned)


def test_a_reason_must_be_given() -> None:
    with pytest.raises(ValueError, match="say why"):
        overrides_case(reason=" ")


def test_the_guard_itself_cannot_be_replaced() -> None:
    with pytest.raises(TypeError, match="replaces the guard"):

        class Unguarded(Whole):
            def test_every_case_of_the_kit_is_there(self) -> None:
                pass


def test_a_case_of_ones_own_stands_beside_those_of_the_kit() -> None:
    class More(Whole):
        @case("CHARGE-99", claim="acme rounds nothing", why="It would.", fix="Do not.")
        def test_acme_rounds_nothing(self) -> None:
            self.expect(self.shop.charge().result, "no result")

    guard(More)
    (result,) = run(More, ids=["CHARGE-99"])

    assert result.result is Result.PASSED


# --- running ---------------------------------------------------------------------------------------------------------


def test_a_failure_says_what_happened_why_it_matters_and_how_to_fix_it() -> None:
    suite = suite_for(TakesATimeOutForADecline, emulator=AcmeEmulator)

    with pytest.raises(CaseFailed, match="DECLINED") as failure:
        suite().test_a_charge_without_an_answer()

    (told,) = failure.value.__notes__
    assert told == CASES["test_a_charge_without_an_answer"].explain()
    assert "Why it matters: " in told
    assert "How to fix it: " in told


def test_what_is_not_declared_is_reported_as_refused() -> None:
    (result,) = run(Whole, ids=["SUBSCRIPTION-07"])

    assert (result.result, result.said) == (Result.REFUSED, "starting subscriptions are not declared")


def test_a_case_without_anything_to_look_at_says_so() -> None:
    suite = suite_for(Acme)
    (result,) = run(suite, ids=["CHARGE-01"])

    assert result.result is Result.NOT_APPLICABLE
    assert "emulator = …" in result.said
    with pytest.raises(NotApplicable, match="not applicable: needs a book"):
        suite().test_a_charge_takes_the_amount_once()


def test_without_an_emulator_only_core_is_shown() -> None:
    results = run(suite_for(Acme))

    assert [verdict(results, level) for level in Level] == [Verdict.PASSED, Verdict.NOT_SHOWN, Verdict.NOT_SHOWN]


def test_a_level_leaves_out_those_above_it() -> None:
    assert {one.case.level for one in run(suite_for(Acme), level=Level.CORE)} == {Level.CORE}


def test_a_known_failure_is_told_apart_and_still_no_pass() -> None:
    class Known(ProviderConformance):
        provider = TakesATimeOutForADecline
        emulator = AcmeEmulator

        @pytest.mark.xfail(reason="acme answers late")
        def test_a_charge_without_an_answer(self) -> None:
            super().test_a_charge_without_an_answer()

    results = run(Known, ids=["FAULT-01"])

    assert [one.result for one in results] == [Result.KNOWN]
    assert results[0].overridden == "acme answers late"
    assert verdict(results, Level.PAYMENTS) is Verdict.FAILED


def test_a_removed_case_fails_its_run() -> None:
    class Without(Whole):
        test_two_attempts_are_two_charges = None  # type: ignore[assignment]

    (result,) = run(Without, ids=["CHARGE-05"])

    assert (result.result, result.said) == (Result.FAILED, "the suite has removed this case")


def test_a_case_that_crashes_fails_with_the_kind_of_the_error() -> None:
    class Crashing(Whole):
        @overrides_case(reason="to see it crash")
        def test_two_attempts_are_two_charges(self) -> None:
            raise KeyError("id")

    (result,) = run(Crashing, ids=["CHARGE-05"])

    assert (result.result, result.said) == (Result.FAILED, "KeyError: 'id'")


# --- providers of all kinds ------------------------------------------------------------------------------------------


def test_a_provider_may_be_made_by_a_function() -> None:
    def acme() -> Provider:
        class Silent(Provider):
            def capabilities(self) -> Capabilities:
                return Capabilities("Silent")

            async def charge(self, request: ChargeRequest) -> ChargeResult:
                return ChargeResult.unknown("silent")

        return Silent()

    class Made(ProviderConformance):
        provider = staticmethod(acme)

    results = run(Made, level=Level.CORE)
    failed = {one.case.id for one in results if one.result is Result.FAILED}

    assert failed == {"CORE-09", "CORE-16"}  # it sends nothing at all


def test_a_plain_function_will_do_as_well() -> None:
    class Made(ProviderConformance):
        def provider() -> Provider:  # type: ignore[misc]
            return Silent()

    class Silent(Provider):
        def capabilities(self) -> Capabilities:
            return Capabilities("Silent")

    (result,) = run(Made, ids=["CORE-01"])

    assert result.result is Result.PASSED


def test_a_fake_may_be_made_by_a_function() -> None:
    results = run(suite_for(lambda: FakeStripe(renewals="provider")), ids=["CHARGE-01", "SUBSCRIPTION-02"])

    assert [one.result for one in results] == [Result.PASSED, Result.PASSED]


def test_a_provider_without_an_emulator_is_given_a_credential_of_its_form() -> None:
    class Choosy(Acme):
        async def charge(self, request: ChargeRequest) -> ChargeResult:
            if not request.credential.startswith("card_"):
                raise InvalidValue("acme: a credential begins with card_")
            return await super().charge(request)

    def core_09(**attributes: object) -> Result:
        (result,) = run(suite_for(Choosy, **attributes), ids=["CORE-09"])
        return result.result

    assert core_09() is Result.FAILED
    assert core_09(credential="card_1") is Result.PASSED


def test_settings_that_cannot_be_made_up_are_asked_for() -> None:
    class Picky(Acme):
        def __init__(self, settings: object) -> None:
            raise ConfigurationError("acme: api_key is not a key")

    with pytest.raises(ConfigurationError, match=r"name the others in the suite: settings = \{…\}"):
        suite_for(Picky)().test_paygate_loads_it()


def test_a_missing_hook_is_found_when_the_provider_is_loaded() -> None:
    class Missing(Acme):
        refund = Provider.refund

    with pytest.raises(PluginError, match="needs the hook 'refund', but has none"):
        suite_for(Missing, emulator=AcmeEmulator)().test_paygate_loads_it()


def test_a_misspelt_hook_is_found_when_the_provider_is_loaded() -> None:
    class Misspelt(Acme):
        async def reffund(self) -> None: ...

    with pytest.raises(PluginError, match="did you mean 'refund'"):
        suite_for(Misspelt, emulator=AcmeEmulator)().test_paygate_loads_it()
