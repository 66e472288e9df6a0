"""Trading calendars: the sessions as exchanges have them, in a configuration that the gate can take."""

from datetime import UTC, datetime

import pytest

from gateway.calendars import configuration_of
from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import PortfolioFile
from tidegate.risk.calendars import Calendar
from tidegate.times import from_datetime
from tidegate.v1 import order_rules_pb2


def portfolio(calendar: str, clock: str = "wall") -> PortfolioFile:
    """Write a portfolio with one instrument on a calendar, and one without."""
    return PortfolioFile.model_validate(
        {
            "name": "small",
            "currency": "USD",
            "capital": "1000",
            "clock": clock,
            "instruments": [{"symbol": "A", "calendar": calendar}, {"symbol": "B"}],
            "strategies": [{"id": "desk", "kind": "external", "allocation": "1"}],
        }
    )


def sessions(calendar: str, year: int, clock: str = "wall") -> order_rules_pb2.TradingCalendar:
    """Return the one calendar of a configuration."""
    (found,) = configuration_of(portfolio(calendar, clock), year).calendars
    return found


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (datetime(2022, 11, 23, 14, 29, 59, tzinfo=UTC), False),
        (datetime(2022, 11, 23, 14, 30, tzinfo=UTC), True),
        (datetime(2022, 11, 23, 20, 59, 59, tzinfo=UTC), True),
        (datetime(2022, 11, 23, 21, 0, tzinfo=UTC), False),
        (datetime(2022, 11, 24, 15, 0, tzinfo=UTC), False),  # Thanksgiving
        (datetime(2022, 11, 25, 17, 59, 59, tzinfo=UTC), True),
        (datetime(2022, 11, 25, 18, 0, tzinfo=UTC), False),  # and the half day after it
        (datetime(2022, 11, 26, 15, 0, tzinfo=UTC), False),  # a Saturday
        (datetime(2022, 7, 6, 13, 30, tzinfo=UTC), True),  # summer time
    ],
)
def test_new_york_is_open_when_it_is(moment: datetime, is_open: bool) -> None:  # noqa: FBT001 -- what is expected
    """Pins days, hours, holidays and half days of the real calendar."""
    assert is_open is Calendar(sessions("XNYS", 2022)).is_open(from_datetime(moment))


def test_hong_kong_is_closed_at_lunch() -> None:
    """Pins that a break ends a session, and begins another."""
    calendar = Calendar(sessions("XHKG", 2022))
    at = [datetime(2022, 11, 23, hour, 30, tzinfo=UTC) for hour in (3, 4, 5)]
    assert [True, False, True] == [calendar.is_open(from_datetime(moment)) for moment in at]


def test_live_the_sessions_are_those_of_two_years() -> None:
    """Pins how much the journal gets, and that the same year gives the same."""
    found = sessions("XNYS", 2022)
    first, last = (datetime.fromtimestamp(found.opens_s[place], tz=UTC) for place in (0, -1))
    assert (2022, 2023) == (first.year, last.year)
    assert found == sessions("XNYS", 2022)


def test_a_replay_gets_the_past_as_well() -> None:
    """Pins that bars of 1990 find their sessions."""
    assert 1990 == datetime.fromtimestamp(sessions("XNYS", 2022, "bars").opens_s[0], tz=UTC).year


def test_without_calendars_there_is_nothing_to_hand_over() -> None:
    """Pins that who names none gets the plain configuration."""
    assert portfolio("").to_wire() == configuration_of(portfolio(""))


def test_a_calendar_that_nobody_knows_is_refused() -> None:
    """Pins one clear line before anything starts."""
    with pytest.raises(ConfigurationError, match=r"^calendar NOWHERE: "):
        configuration_of(portfolio("NOWHERE"))
