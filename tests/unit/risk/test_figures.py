"""The figures of the checks: every check states its own, and they are those that it decides by."""

import importlib
import inspect
import pkgutil

from tests.unit.builders import BUY, configuration, stamp, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.risk import checks
from tidegate.risk.checks.check import Check, StandingCheck
from tidegate.risk.figures import _FIGURES, LimitInForce, limits_in_force
from tidegate.risk.limit import Limit
from tidegate.v1 import admin_pb2, risk_pb2

UNTIL = stamp(5).ToJsonString()


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
    assert defined - {Check, StandingCheck} == set(_FIGURES)


def test_the_limits_in_force_name_who_set_them(open_desk: OpenDesk) -> None:
    """The portfolio's limits, those of the order's own scopes, and the strategy's terms; none of another's."""
    desk = open_desk(configuration(max_leverage="2", warn_leverage="1.5"))
    desk.bar(1, A="100")
    ours, theirs = strategy_scope("margin"), strategy_scope("cash")
    limits = [
        risk_pb2.Limit(figure=risk_pb2.LIMIT_FIGURE_LEVERAGE, scope=scope, limit="1.5") for scope in (ours, theirs)
    ]
    request = admin_pb2.UpdateLimitsRequest(limits=limits, operator="ann", reason="quiet", expires=stamp(5))
    desk.ask("UpdateLimits", request, admin_pb2.UpdateLimitsResponse)
    changed = Limit.from_wire(desk.events("limit_changed")[0].limit_changed)
    found = limits_in_force(desk.book, desk.order("margin", BUY, "1", "A"), {changed: 3})
    assert [
        LimitInForce("leverage of the portfolio", "warn above 1.5, refuse above 2", "portfolio file desk", 1),
        LimitInForce("leverage of the strategy margin", "refuse above 1.5", f"ann (quiet, until {UNTIL})", 3),
        LimitInForce("age of the mark, s", "259200", "portfolio file desk", 1),
        LimitInForce("terms of strategy margin", "margin, capital 30000, leverage up to 2", "portfolio file desk", 1),
    ] == found
