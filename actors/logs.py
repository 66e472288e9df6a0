"""Logs: one JSON line an occurrence, a file a process, for machines to read; people get one clear line."""

import logging
from pathlib import Path

import structlog


def open_log(folder: Path, process: str) -> structlog.typing.FilteringBoundLogger:
    """Log this process into ``folder/process.jsonl``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{process}.jsonl").open("a", encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(process=process)
    return log
