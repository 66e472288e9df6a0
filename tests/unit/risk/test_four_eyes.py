"""Four eyes: one person asks for a reset, another one confirms it, in time and on what stands then."""

import pytest

from tests.unit.builders import DAY_S, PORTFOLIO, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.v1 import admin_pb2, common_pb2, risk_pb2

KEEP = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
REBASE = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
HALTED = common_pb2.HALT_LEVEL_HALTED
ACTIVE = common_pb2.HALT_LEVEL_ACTIVE
WITHIN_S = 60


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk on which two persons reset."""
    configured = configuration(halt_drawdown="0.2")
    configured.halts.confirm_within_s = WITHIN_S
    opened = open_desk(configured)
    opened.bar(1, A="100", B="50")
    return opened


def ask(
    desk: Desk,
    scope: common_pb2.Scope = PORTFOLIO,
    *,
    operator: str = "ann",
    choice: admin_pb2.HighWaterMarkChoice.ValueType = KEEP,
) -> int:
    """Ask for a reset; return the request, or 0 when there is nothing to ask for."""
    request = admin_pb2.ResetHaltRequest(scope=scope, operator=operator, reason="reviewed", high_water_mark=choice)
    answer = desk.ask("ResetHalt", request, admin_pb2.ResetHaltResponse)
    assert not answer.changed
    return answer.request_sequence


def confirm(desk: Desk, request_sequence: int, operator: str = "bob") -> str:
    """Confirm a reset; return the reason code of a refusal."""
    request = admin_pb2.ConfirmResetRequest(request_sequence=request_sequence, operator=operator, reason="agreed")
    return desk.refusal("ConfirmReset", request)


def pending(desk: Desk) -> list[risk_pb2.PendingReset]:
    """Return what waits for a second person."""
    answer = desk.ask("GetHaltState", risk_pb2.GetHaltStateRequest(), risk_pb2.GetHaltStateResponse)
    return list(answer.pending_resets)


@pytest.mark.parametrize("scope", [PORTFOLIO, strategy_scope("cash")])
def test_a_reset_takes_two_persons(desk: Desk, scope: common_pb2.Scope) -> None:
    """Pins that asking changes nothing, that the second person does, once, and that the journal names both."""
    assert 0 == ask(desk, scope)
    desk.halt(scope)
    request = ask(desk, scope)
    assert "HALT TRADING_HALTED" == action(desk.buy("cash", "1"))
    assert ["", "RESET_REQUEST_UNKNOWN"] == [confirm(desk, request), confirm(desk, request)]
    assert "ALLOW" == action(desk.buy("cash", "1"))
    (reset,) = (event.halt_reset for event in desk.events("halt_reset"))
    assert ("ann", "reviewed", "bob", "agreed") == (
        reset.operator,
        reset.reason,
        reset.confirmed_by,
        reset.confirmation,
    )


@pytest.mark.control("four-eyes")
@pytest.mark.parametrize("operator", ["ann", "Ann", "ANN"])
def test_who_asked_does_not_confirm(desk: Desk, operator: str) -> None:
    """Pins that upper and lower case make no other person, and that the attempt is recorded and the request stands."""
    desk.halt()
    request = ask(desk)
    assert "RESET_NOT_BY_ANOTHER" == confirm(desk, request, operator)
    assert ["RESET_NOT_BY_ANOTHER"] == [e.command_refused.reason_code for e in desk.events("command_refused")]
    assert (HALTED, "") == (desk.level(), confirm(desk, request))


def test_what_waits_is_shown_with_its_end(desk: Desk) -> None:
    """Pins what the second person reads before confirming."""
    desk.halt()
    request = ask(desk, choice=REBASE)
    (one,) = pending(desk)
    assert (request, "ann", "reviewed", True, WITHIN_S) == (
        one.request_sequence,
        one.operator,
        one.reason,
        one.rebase,
        one.expires.seconds - one.time.seconds,
    )
    assert [one] == pending(desk.restarted())


def test_a_request_expires_when_time_goes_on(desk: Desk) -> None:
    """Pins the last second in which it stands, the alert, and that it may be asked for anew."""
    desk.halt()
    request = ask(desk)
    assert [] == desk.tick(WITHIN_S)
    (expired,) = desk.tick(1)
    assert (request, "ann") == (expired.reset_expired.request_sequence, expired.reset_expired.operator)
    assert ("RESET_EXPIRED", []) == (desk.alerts()[0].reason_code, pending(desk))
    assert ["RESET_REQUEST_UNKNOWN", ""] == [confirm(desk, request), confirm(desk, ask(desk))]


def test_a_confirmation_that_comes_too_late_is_refused_before_the_timer_says_so(desk: Desk) -> None:
    """Pins that the stamp decides, also where nobody lets time go on."""
    desk.halt()
    request = ask(desk)
    desk.wait(WITHIN_S + 1)
    assert "RESET_REQUEST_UNKNOWN" == confirm(desk, request)


def test_a_confirmation_in_the_last_second_counts(desk: Desk) -> None:
    """Pins the other side of the bound."""
    desk.halt()
    request = ask(desk)
    desk.wait(WITHIN_S)
    assert "" == confirm(desk, request)


def test_a_second_request_takes_the_first_ones_place(desk: Desk) -> None:
    """Pins that what is confirmed is what was read: another choice is another request."""
    desk.halt()
    first, second = ask(desk), ask(desk, operator="bob", choice=REBASE)
    assert ["RESET_REQUEST_UNKNOWN", "RESET_NOT_BY_ANOTHER", ""] == [
        confirm(desk, first),
        confirm(desk, second),
        confirm(desk, second, "ann"),
    ]


def test_a_new_halt_voids_what_was_asked_before_it(desk: Desk) -> None:
    """Pins that nobody confirms the reset of a halt that the first person has not seen."""
    desk.halt(level=common_pb2.HALT_LEVEL_REDUCE_ONLY)
    request = ask(desk)
    desk.halt()
    assert ("RESET_REQUEST_UNKNOWN", HALTED) == (confirm(desk, request), desk.level())


@pytest.mark.parametrize(("choice", "expected"), [(KEEP, "RESET_WOULD_HALT_AGAIN"), (REBASE, "")])
def test_it_is_looked_at_again_when_it_is_confirmed(
    desk: Desk, choice: admin_pb2.HighWaterMarkChoice.ValueType, expected: str
) -> None:
    """Pins the choice about the high-water mark as it was made, and the drawdown as it is now."""
    desk.hold("margin", "500", "100")
    desk.halt()
    request = ask(desk, choice=choice)
    desk.price(1 + 30 / DAY_S, A="59")
    assert expected == confirm(desk, request)
    if not expected:
        assert desk.book.equity == desk.book.high_water_mark


def test_asking_is_refused_when_it_would_halt_again_at_once(desk: Desk) -> None:
    """Pins that a second person is not called for what cannot be."""
    desk.hold("margin", "500", "100")
    desk.bar(2, A="59")
    request = admin_pb2.ResetHaltRequest(operator="ann", reason="reviewed", high_water_mark=KEEP)
    assert "RESET_WOULD_HALT_AGAIN" == desk.refusal("ResetHalt", request)


@pytest.mark.parametrize(
    ("operator", "reason", "expected"),
    [("", "agreed", "IDENTIFIER_INVALID"), ("bob", "", "TEXT_INVALID"), ("bob", "agreed", "RESET_REQUEST_UNKNOWN")],
)
def test_a_malformed_confirmation_is_refused_and_not_recorded(
    desk: Desk, operator: str, reason: str, expected: str
) -> None:
    """Pins that it is signed, with a reason, and about a request."""
    before = desk.book.sequence
    request = admin_pb2.ConfirmResetRequest(request_sequence=1, operator=operator, reason=reason)
    assert (expected, before) == (desk.refusal("ConfirmReset", request), desk.book.sequence)
