"""What a library logs that nobody asked for."""

import logging


def is_complaint(record: logging.LogRecord) -> bool:
    """Tell whether a record is a warning or an exception, and not gRPC's way to say that a peer has hung up."""
    error = record.exc_info[1] if record.exc_info else None
    has_hung_up = str(error).startswith('Failed "execute_batch"')
    return record.levelno >= logging.WARNING and not has_hung_up


def say_complaints() -> None:
    """Have this process print them."""
    logging.basicConfig()
    logging.root.handlers[0].addFilter(is_complaint)
