"""What needs the engine's sources: the tests hold for the compiled engine too, but for a few."""

import pytest

from tidegate import gate

NEEDS_SOURCES = pytest.mark.skipif(
    not str(gate.__file__).endswith(".py"), reason="a compiled engine's functions cannot be made to fail from outside"
)
