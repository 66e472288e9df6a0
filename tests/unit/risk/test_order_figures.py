"""The figures of the rules on orders: those that they decide by."""

from tests.unit.builders import BUY, SELL, configuration, limit
from tests.unit.conftest import OpenDesk
from tidegate.risk.assessment import assess
from tidegate.risk.figures import figures
from tidegate.risk.orders import read_order


def test_every_rule_says_what_it_looked_at(open_desk: OpenDesk) -> None:
    """One order under all the rules: each figure with what it was held against."""
    configured = configuration()
    rules, terms = configured.order_rules, configured.strategies[1]
    rules.collar, rules.max_price_move, rules.price_move_within_s = "0.05", "0.1", 60
    rules.duplicate_within_ms, rules.throttle_fills, rules.throttle_within_s = 500, 3, 10
    rules.self_trade, rules.rates.max_working_orders = True, 9
    terms.rates.max_messages_per_s, terms.rates.max_daily_quantity = 5, "100"
    terms.long_only = True
    terms.instruments.append("A")
    configured.instruments[0].max_quantity, configured.instruments[0].calendar = "50", "XNYS"
    configured.calendars.add(name="XNYS", opens_s=[1], closes_s=[10**10])
    desk = open_desk(configured)
    desk.bar(1, A="100", B="50")
    desk.hold("margin", "10", "100")
    desk.submit(limit(desk.order("cash", BUY, "5", "A"), "98"))
    order = limit(desk.order("margin", SELL, "4", "A"), "99")
    draft = desk.gate.engine._draft(desk.book.time_ns)
    _, proposal = assess(draft, order, read_order(desk.book, order))
    assert proposal is not None
    found = {f.name: (f.actual, f.limit) for check in draft.checks.for_all for f in figures(check, proposal)}
    expected = {
        "instrument": ("A", "A"),
        "XNYS is open": ("yes", "yes"),
        "quantity, at most": ("4", "50"),
        "limit price away from 100": ("1", "5"),
        "rise of the mark from 100": ("0", "10"),
        "since the same order, ms, at least": ("never", "500"),
        "messages within the second of strategy margin": ("2", "5"),
        "working orders of the portfolio": ("2", "9"),
        "quantity of strategy margin today, so far": ("10", "100"),
        "throttled": ("no", "no"),
        "our best order on the other side": ("98 (order 6)", "99"),
        "quantity to sell": ("4", "10"),
    }
    assert expected == {name: found.get(name) for name in expected}
