"""The figures of the checks: every check states its own, and they are those that it decides by."""

import importlib
import inspect
import pkgutil

from tests.unit.builders import Desk
from tidegate.risk import checks
from tidegate.risk.figures import _FIGURES, Figure, LimitInForce, limits_in_force


def test_every_check_states_its_figures() -> None:
    """A check without figures would be a line of which an auditor learns nothing."""
    names = [found.name for found in pkgutil.iter_modules(checks.__path__)]
    modules = [importlib.import_module(f"{checks.__name__}.{name}") for name in names]
    defined = {
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and hasattr(kind, "check")
    }
    assert defined == set(_FIGURES)


def test_the_limits_in_force_name_who_set_them(desk: Desk) -> None:
    """The portfolio's limits and the strategy's own terms, none of another strategy."""
    found = limits_in_force(desk.book, "margin")
    assert LimitInForce("max_price_age_s", "259200", "portfolio file desk", 1) in found
    assert LimitInForce("margin: max_leverage", "2", "portfolio file desk", 1) in found
    assert not [limit for limit in found if limit.name.startswith("cash:")]


def test_a_figure_without_a_limit_has_an_empty_one() -> None:
    """What is only looked at is held against nothing."""
    assert Figure("mark", "100", "") == Figure("mark", "100")
