"""Files that are read again when they change: the access file, certificates."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from tidegate.errors import ConfigurationError

T = TypeVar("T")


class WatchedFiles(Generic[T]):
    """
    What stands in some files; the last good state of it while they cannot be read or are wrong.

    ``look`` compares the whole content, so that neither a clock nor a quick second change deceives it.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], T]) -> None:
        """
        Read the files for the first time.

        Raises:
            ConfigurationError: they cannot be used.
        """
        self._files = files
        self._read = read
        self._seen = self._content()
        self.current = read()

    def look(self) -> None:
        """Read the files again if they have changed; log critically when they cannot be used."""
        content = self._content()
        if content == self._seen:
            return
        self._seen = content
        log, files = structlog.get_logger(), [str(file) for file in self._files]
        try:
            self.current = self._read()
        except ConfigurationError as error:
            log.critical("files_refused", files=files, error=str(error), text="what they said before stays in force")
        else:
            log.warning("files_read_again", files=files)

    def _content(self) -> list[tuple[int, bytes | str]]:
        return [_content_of(file) for file in self._files]


def _content_of(file: Path) -> tuple[int, bytes | str]:
    try:
        return file.stat().st_mode, file.read_bytes()
    except OSError as error:
        return 0, str(error)
