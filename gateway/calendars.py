"""Trading calendars: the sessions of the exchanges that a portfolio names, handed to the gate as data."""

from datetime import UTC, datetime

from tidegate.errors import ConfigurationError
from tidegate.portfolio_file import PortfolioFile
from tidegate.v1 import journal_pb2, order_rules_pb2

# A replay may begin anywhere in the past; live, this year's beginning is enough.
_REPLAYS_FROM_YEAR = 1990


def configuration_of(portfolio: PortfolioFile, year: int | None = None) -> journal_pb2.PortfolioConfigured:
    """
    Write the configuration, with the sessions of every calendar up to the end of next year.

    Each start of the gate records them anew where they have changed. ``year`` is this year unless it is given.

    Raises:
        ConfigurationError: the package for calendars is not installed, or knows no such calendar.
    """
    configured = portfolio.to_wire()
    names = sorted({section.calendar for section in portfolio.instruments if section.calendar})
    this_year = year or datetime.now(tz=UTC).year
    first_year = _REPLAYS_FROM_YEAR if portfolio.clock == "bars" else this_year
    configured.calendars.extend(_calendar(name, first_year, this_year + 1) for name in names)
    return configured


def _calendar(name: str, first_year: int, last_year: int) -> order_rules_pb2.TradingCalendar:
    try:
        from exchange_calendars import get_calendar  # noqa: PLC0415 -- an extra: only who names a calendar needs it
        from exchange_calendars.errors import CalendarError  # noqa: PLC0415 -- as above
    except ImportError as error:
        message = f"calendar {name} needs the package exchange_calendars: pip install tidegate[calendars]"
        raise ConfigurationError(message) from error
    try:
        calendar = get_calendar(name, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    except (CalendarError, ValueError) as error:
        message = f"calendar {name}: {error}"
        raise ConfigurationError(message) from error
    written = order_rules_pb2.TradingCalendar(name=name)
    for row in calendar.schedule.itertuples():
        moments = (row.open, row.break_start, row.break_end, row.close)
        seconds = [int(moment.timestamp()) for moment in moments if moment == moment]  # noqa: PLR0124 -- no break: NaT
        written.opens_s.extend(seconds[0::2])
        written.closes_s.extend(seconds[1::2])
    return written
