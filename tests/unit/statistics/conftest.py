"""The profiles of hypothesis are those of the property tests."""

import tests.property.conftest  # noqa: F401 -- it loads them
