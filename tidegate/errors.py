"""What the bottom floor raises."""

from tidegate.reasons import Reason


class TidegateError(Exception):
    """Anything that Tidegate raises on purpose."""


class RefusedError(TidegateError):
    """
    A command that is refused whole: malformed, about something unknown, or not possible now.

    An order that a check refuses is not an error but a Decision.
    """

    def __init__(self, reason: Reason, text: str, *, field: str = "") -> None:
        """Take the stable code, one line for the user, and the request's field that is at fault, if one is."""
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.field = field


class BookError(TidegateError):
    """An event that the book cannot hold: the journal or the engine is wrong, and the process must end."""


class JournalError(TidegateError):
    """The journal cannot be opened, read or trusted."""


class CommitFailedError(JournalError):
    """A commit failed or its outcome is unknown: the process must end and come back from the journal."""


class EpochFencedError(CommitFailedError):
    """A newer writer has taken the journal: this one is a zombie."""


class ConfigurationError(TidegateError):
    """A portfolio file that cannot be used; the message names file, line and key."""


class StatisticsError(TidegateError):
    """Numbers of which no statistic can be made: gaps, other sessions than those beside them, no confidence."""


class StateError(TidegateError):
    """A state that cannot be written, or bytes that are none."""
