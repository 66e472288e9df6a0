"""Strategies that are added, liquidated and removed: capital, orders, and what a restart knows of it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.builders import BUY, CANCELED, SELL, Desk, action, configuration, strategy_scope
from tests.unit.conftest import OpenDesk
from tidegate.explanation import Wanted, explain
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, journal_pb2, order_rules_pb2, portfolio_pb2

SIGNED: dict[str, Any] = {"operator": "ann", "reason": "plan"}


def added(desk: Desk, strategy_id: str = "new", amount: str = "8000", **fields: Any) -> str:
    """Add a strategy; return the reason code of a refusal."""
    terms: dict[str, Any] = {"max_leverage": "2", "route": "paper"} | fields
    return desk.refusal(
        "AddStrategy", admin_pb2.AddStrategyRequest(strategy_id=strategy_id, amount=amount, **SIGNED, **terms)
    )


def remove(strategy_id: str) -> admin_pb2.RemoveStrategyRequest:
    """Write the request to remove a strategy."""
    return admin_pb2.RemoveStrategyRequest(strategy_id=strategy_id, **SIGNED)


def liquidated(desk: Desk, strategy_id: str, *, remove: bool = False) -> admin_pb2.LiquidateStrategyResponse:
    """Liquidate a strategy."""
    request = admin_pb2.LiquidateStrategyRequest(strategy_id=strategy_id, remove=remove, **SIGNED)
    return desk.ask("LiquidateStrategy", request, admin_pb2.LiquidateStrategyResponse)


def summary(desk: Desk, strategy_id: str) -> portfolio_pb2.StrategySummary:
    """Return what is shown of a strategy."""
    request = portfolio_pb2.GetStrategyRequest(strategy_id=strategy_id)
    return desk.ask("GetStrategy", request, portfolio_pb2.GetStrategyResponse).strategy


def working(desk: Desk) -> list[str]:
    """Return the ids of the working orders."""
    return list(desk.book.orders)


def routed(**limits: str) -> journal_pb2.PortfolioConfigured:
    """Configure the desk with a route for each strategy."""
    configured = configuration(**limits)
    for name in ("cash", "margin"):
        configured.routes.add(strategy_id=name, adapter="paper")
    return configured


class TestAdding:
    """A strategy that the portfolio file does not state is one like all others."""

    def test_it_begins_with_capital_of_the_reserve_and_survives_a_restart(self, desk: Desk) -> None:
        """Pins ledger, reserve, conservation and performance, that it trades, and that the start does not complain."""
        assert "" == added(desk)
        for one in (desk, desk.restarted()):
            shown = summary(one, "new")
            assert ("8000", "8000", "margin") == (shown.capital, shown.equity, shown.kind)
            assert (Decimal(12_000), "0") == (one.book.reserve, one.conserved())
            assert ("0.000000", False) == (shown.performance.total_return, shown.removed)
            assert desk.state() == one.state()
        one.hold("new", "80", "100")
        assert Decimal(80) == one.position("new")
        assert one.state() == one.restarted().state()

    def test_it_has_terms_of_its_own(self, desk: Desk) -> None:
        """Pins leverage, permitted instruments, long only, and rates that nobody had before."""
        rates = order_rules_pb2.OrderRates(max_working_orders=2, max_messages_per_s=3, max_daily_quantity="200")
        added(desk, instruments=["A"], long_only=True, rates=rates)
        assert "REJECT INSTRUMENT_NOT_PERMITTED" == action(desk.buy("new", "1", "B"))
        assert "REJECT SHORT_SALE" == action(desk.sell("new", "1"))
        assert "REJECT CAPITAL" == action(desk.buy("new", "161"))
        assert "REJECT MESSAGE_RATE" == action(desk.buy("new", "1"))
        desk.wait(5)
        assert ["ALLOW", "REJECT DAILY_QUANTITY"] == [action(desk.buy("new", number)) for number in ("60", "141")]
        desk.wait(5)
        assert ["ALLOW", "REJECT WORKING_ORDERS"] == [action(desk.buy("new", "1")) for _ in range(2)]
        assert "ALLOW" == action(desk.buy("cash", "1", "B"))
        assert desk.state() == desk.restarted().state()

    def test_its_limits_and_halts_are_those_of_every_strategy(self, open_desk: OpenDesk) -> None:
        """Pins a halt of its scope and its reset, where refusals are counted for each strategy."""
        configured = configuration()
        configured.halts.MergeFrom(journal_pb2.HaltRules(error_count=1, error_within_s=60))
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50", F="20")
        added(desk)
        for _ in range(2):
            desk.buy("new", "99999")
        assert [strategy_scope("new")] == [e.trading_halted.scope for e in desk.events("trading_halted")]
        reset = admin_pb2.ResetHaltRequest(scope=strategy_scope("new"), **SIGNED)
        assert "" == desk.refusal("ResetHalt", reset)
        assert "ALLOW" == action(desk.buy("new", "1"))

    def test_a_retry_adds_nothing_twice_and_an_id_is_never_used_again(self, desk: Desk) -> None:
        """Pins the first answer for the same words, and the refusal of others, of the file's and of removed ones."""
        assert "" == added(desk) == added(desk)
        desk = desk.restarted()
        assert "" == added(desk)
        assert 1 == len(desk.events("strategy_added"))
        assert "STRATEGY_ID_TAKEN" == added(desk, amount="1") == added(desk, "cash")
        desk.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
        assert "STRATEGY_ID_TAKEN" == added(desk) == added(desk.restarted())

    def test_no_more_is_given_than_the_reserve_has(self, desk: Desk) -> None:
        """Pins the last cent, that nothing at all is a capital as well, and the recorded figures."""
        assert "CASH_NOT_AVAILABLE" == added(desk, amount="20000.01")
        refused = desk.events("command_refused")[0].command_refused
        assert ("AddStrategy", "new", "ann") == (refused.command, refused.subject, refused.operator)
        assert "20,000.01 was asked for, and 20,000.00 of reserve is free" == refused.reason
        assert ["", ""] == [added(desk, amount="20000"), added(desk, "other", amount="")]
        assert Decimal(0) == desk.book.reserve
        assert "REJECT CAPITAL" == action(desk.buy("other", "1"))

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"strategy_id": "two words"}, "IDENTIFIER_INVALID"),
            ({"strategy_id": "x" * 33}, "IDENTIFIER_INVALID"),
            ({"kind": "cash"}, "STRATEGY_TERMS_INVALID"),
            ({"max_leverage": "6.01"}, "STRATEGY_TERMS_INVALID"),
            ({"max_leverage": "0"}, "AMOUNT_INVALID"),
            ({"amount": "-1"}, "AMOUNT_INVALID"),
            ({"instruments": ["A", "Z"]}, "INSTRUMENT_UNKNOWN"),
            ({"instruments": ["A"] * 4}, "BATCH_TOO_LARGE"),
            ({"route": "fax"}, "ADAPTER_UNKNOWN"),
            ({"rates": order_rules_pb2.OrderRates(max_daily_notional="x")}, "AMOUNT_INVALID"),
        ],
    )
    def test_what_is_malformed_is_refused_and_not_recorded(
        self, desk: Desk, fields: dict[str, Any], reason: str
    ) -> None:
        """Pins the codes, that a class is not taken from the wire, and that the journal does not grow."""
        before = len(desk.events())
        assert reason == added(desk, **({"strategy_id": "new"} | fields))
        assert before == len(desk.events())


class TestRemoving:
    """Only what holds nothing goes, and its cash comes back whole."""

    def test_its_cash_returns_and_its_history_stays(self, desk: Desk) -> None:
        """Pins amount, conservation, the refusal of orders, and that it is still shown, also after a restart."""
        added(desk)
        desk.hold("new", "100", "100")
        desk.bar(2, A="110", B="50", F="20")
        desk.hold("new", "-100", "110")
        answer = desk.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
        assert "9000" == answer.amount
        assert "REJECT STRATEGY_REMOVED" == action(desk.buy("new", "1"))
        assert "STRATEGY_REMOVED" in [alert.reason_code for alert in desk.alerts()]
        for one in (desk, desk.restarted()):
            assert (Decimal(21_000), "0") == (one.book.reserve, one.conserved())
            assert answer == one.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
            shown = summary(one, "new")
            assert (True, "0", "1000", 2) == (shown.removed, shown.equity, shown.realised_pnl, shown.performance.fills)

    def test_a_strategy_of_the_portfolio_file_can_go_as_well(self, desk: Desk) -> None:
        """Pins that its code is not asked any more, and that the file is still the journal's."""
        desk.ask("RemoveStrategy", remove("cash"), admin_pb2.RemoveStrategyResponse)
        again = desk.restarted()
        again.report(bar_sequence=2)
        update = again.ask("NextBar", actors_pb2.NextBarRequest(), actors_pb2.BarUpdate)
        assert {"cash": True, "margin": False} == {own.strategy_id: own.paused for own in update.strategies}
        assert Decimal(70_000) == again.book.reserve

    @pytest.mark.parametrize(
        ("is_filled", "left"), [(True, "strategy margin has -10 A"), (False, "strategy margin has 1 working orders")]
    )
    def test_what_is_not_flat_stays(self, desk: Desk, is_filled: bool, left: str) -> None:  # noqa: FBT001
        """Pins the figures of the refusal, and that it can go once the order is done or the position closed."""
        order = desk.sell("margin", "10")
        if is_filled:
            desk.fill(order.order_id, "10", "100")
        assert "STRATEGY_NOT_FLAT" == desk.refusal("RemoveStrategy", remove("margin"))
        assert left == desk.events("command_refused")[-1].command_refused.reason
        if is_filled:
            desk.hold("margin", "10", "100")
        else:
            desk.report(desk.execution(order.order_id, CANCELED))
        assert "" == desk.refusal("RemoveStrategy", remove("margin"))

    def test_a_debt_is_paid_before_a_strategy_goes(self, desk: Desk) -> None:
        """Pins that the reserve pays only when somebody says so."""
        added(desk)
        desk.hold("new", "100", "100")
        desk.fill(desk.sell("new", "100").order_id, "100", "10", fee="1000")
        assert "STRATEGY_NOT_FLAT" == desk.refusal("RemoveStrategy", remove("new"))
        assert "strategy new has a debt of 2,000.00 USD" == desk.events("command_refused")[-1].command_refused.reason
        paid = admin_pb2.TransferCapitalRequest(transfer_id="t", to_strategy_id="new", amount="2000", **SIGNED)
        assert ["", ""] == [desk.refusal("TransferCapital", paid), desk.refusal("RemoveStrategy", remove("new"))]
        assert (Decimal(10_000), "0") == (desk.book.reserve, desk.conserved())

    def test_a_late_report_is_booked_and_an_officer_finds_the_way_out(self, desk: Desk) -> None:
        """Pins that a bust after the removal is a fact, that what it leaves can be closed, and its debt be paid."""
        added(desk)
        desk.hold("new", "100", "100")
        order = desk.sell("new", "100")
        trade = desk.trade(order.order_id, "100", "100")
        desk.report(trade)
        desk.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
        desk.report(desk.bust(trade))
        assert (Decimal(100), Decimal(-10_000), "0") == (
            desk.position("new"),
            desk.book.strategies["new"].ledger.cash,
            desk.conserved(),
        )
        assert "REJECT STRATEGY_REMOVED" == action(desk.sell("new", "100"))
        closing = admin_pb2.FlattenRequest(scope=strategy_scope("new"), **SIGNED)
        assert "100" == desk.ask("Flatten", closing, admin_pb2.FlattenResponse).positions[0].submitted_quantity
        desk.fill(working(desk)[0], "100", "90")
        over = admin_pb2.TransferCapitalRequest(transfer_id="t1", to_strategy_id="new", amount="1000.01", **SIGNED)
        owed = admin_pb2.TransferCapitalRequest(transfer_id="t2", to_strategy_id="new", amount="1000", **SIGNED)
        assert ["STRATEGY_REMOVED", ""] == [desk.refusal("TransferCapital", one) for one in (over, owed)]
        assert desk.state() == desk.restarted().state()

    def test_what_a_late_report_brings_can_be_transferred_away(self, desk: Desk) -> None:
        """Pins a correction to a better price after the removal: it is the strategy's, until somebody moves it."""
        added(desk)
        desk.hold("new", "100", "100")
        trade = desk.trade(desk.sell("new", "100").order_id, "100", "100")
        desk.report(trade)
        desk.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
        desk.report(desk.correction(trade, "100", "101"))
        away = admin_pb2.TransferCapitalRequest(transfer_id="t", from_strategy_id="new", amount="100", **SIGNED)
        assert "" == desk.refusal("TransferCapital", away)
        assert (Decimal(20_100), "0") == (desk.book.reserve, desk.conserved())

    def test_a_loss_is_no_drawdown_of_what_has_gone(self, open_desk: OpenDesk) -> None:
        """Pins that a strategy that leaves below its high-water mark halts nothing by leaving."""
        configured = routed()
        configured.further_limits.add(
            figure=4, scope=strategy_scope("margin"), limit="0.5", action=common_pb2.ACTION_HALT
        )
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50", F="20")
        desk.hold("margin", "100", "100")
        desk.hold("margin", "-100", "50")
        desk.ask("RemoveStrategy", remove("margin"), admin_pb2.RemoveStrategyResponse)
        assert [] == desk.events("trading_halted") == desk.events("limit_breached")


class TestLiquidating:
    """Positions are closed, nothing new comes, and perhaps the strategy goes."""

    def test_positions_are_closed_and_it_leaves_once_it_is_flat(self, open_desk: OpenDesk) -> None:
        """Pins the exits, that no risk is added meanwhile, and the removal with the last fill, over a restart."""
        desk = open_desk(routed())
        desk.bar(1, A="100", B="50", F="20")
        desk.hold("margin", "100", "100")
        desk.hold("margin", "-40", "50", "B")
        answer = liquidated(desk, "margin", remove=True)
        assert [("A", "100"), ("B", "-40")] == [(p.symbol, p.quantity) for p in answer.positions]
        assert (False, True) == (answer.removed, summary(desk, "margin").leaving)
        assert "REJECT REDUCE_ONLY" == action(desk.buy("margin", "1", "F"))
        first, second = working(desk)
        desk.fill(first, "100", "101")
        again = desk.restarted()
        assert desk.state() == again.state()
        assert not summary(again, "margin").removed
        again.fill(second, "40", "49")
        shown = summary(again, "margin")
        assert (True, False, "0") == (shown.removed, shown.leaving, again.conserved())
        assert Decimal(20_000 + 30_140) == again.book.reserve
        removed = again.events("strategy_removed")[0].strategy_removed
        assert ("30140", "ann", "plan") == (removed.amount, removed.operator, removed.reason)

    def test_what_is_flat_already_leaves_at_once(self, desk: Desk) -> None:
        """Pins the answer, that its halt goes with it, and that it cannot be liquidated once more."""
        assert liquidated(desk, "margin", remove=True).removed
        assert {} == desk.book.halts
        again = admin_pb2.LiquidateStrategyRequest(strategy_id="margin", **SIGNED)
        assert "STRATEGY_REMOVED" == desk.refusal("LiquidateStrategy", again)

    def test_without_that_wish_it_stays(self, open_desk: OpenDesk) -> None:
        """Pins that it is flat, halted to REDUCE_ONLY, and trades again after a reset."""
        desk = open_desk(routed())
        desk.bar(1, A="100", B="50", F="20")
        desk.hold("cash", "10", "100")
        assert not liquidated(desk, "cash").removed
        desk.fill(working(desk)[0], "10", "100")
        assert ([], Decimal(0)) == (desk.events("strategy_removed"), desk.position("cash"))
        assert "REJECT REDUCE_ONLY" == action(desk.buy("cash", "1"))
        desk.refusal("ResetHalt", admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), **SIGNED))
        assert "ALLOW" == action(desk.buy("cash", "1"))

    def test_a_reset_takes_it_back(self, open_desk: OpenDesk) -> None:
        """Pins that a strategy whose halt is reset does not leave by surprise."""
        desk = open_desk(routed())
        desk.bar(1, A="100", B="50", F="20")
        desk.hold("cash", "10", "100")
        liquidated(desk, "cash", remove=True)
        desk.refusal("ResetHalt", admin_pb2.ResetHaltRequest(scope=strategy_scope("cash"), **SIGNED))
        desk.fill(working(desk)[0], "10", "100")
        assert ([], False) == (desk.events("strategy_removed"), summary(desk, "cash").leaving)
        assert "ALLOW" == action(desk.buy("cash", "1"))

    def test_it_waits_for_what_still_works(self, desk: Desk) -> None:
        """Pins that a pending cancel may still be filled, and that only the broker's report lets it go."""
        order = desk.submit(desk.order("margin", SELL, "10", "A"))
        assert 1 == liquidated(desk, "margin", remove=True).cancels_requested
        assert not summary(desk, "margin").removed
        desk.report(desk.execution(order.order_id, CANCELED))
        assert summary(desk, "margin").removed

    @pytest.mark.parametrize("method", ["RemoveStrategy", "LiquidateStrategy"])
    def test_a_strategy_that_nobody_knows_is_refused(self, desk: Desk, method: str) -> None:
        """Pins the code of both."""
        request = getattr(admin_pb2, f"{method}Request")(strategy_id="ghost", **SIGNED)
        assert "STRATEGY_UNKNOWN" == desk.refusal(method, request)


def test_a_trader_buys_for_a_strategy_that_was_added(desk: Desk) -> None:
    """Pins that who may act for it is the access file's question, as for every other."""
    added(desk)
    assert "ALLOW" == action(desk.submit(desk.order("new", BUY, "1", "A")))


def test_an_explanation_names_who_added_a_strategy_and_that_it_was_removed(desk: Desk) -> None:
    """Pins the terms with their operator and event, and the figure of the check that refuses later orders."""
    added(desk)
    desk.ask("RemoveStrategy", remove("new"), admin_pb2.RemoveStrategyResponse)
    refused = desk.buy("new", "1")
    found = explain(desk.events(), Wanted(order_id=str(refused.sequence)))
    (terms,) = [limit for limit in found.limits if limit.name == "terms of strategy new"]
    assert ("margin, capital 8000, leverage up to 2", "ann (plan)") == (terms.value, terms.set_by)
    assert terms.sequence == desk.events("strategy_added")[0].sequence
    (check,) = [check for check in found.checks if check.name == "removed"]
    assert [("strategy removed", "yes", "no")] == [tuple(figure) for figure in check.figures]
    assert [] == found.differences
