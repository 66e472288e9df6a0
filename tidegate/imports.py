"""Names in a portfolio file, ``module:name``, turned into what they name."""

import importlib
import sys
from pathlib import Path
from typing import Any


def load(name: str, folder: Path) -> Any:
    """
    Import what ``module:name`` names, looked for first in the portfolio file's own folder.

    Raises:
        ImportError, AttributeError: there is no such module or name. Whatever the module itself raises.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
