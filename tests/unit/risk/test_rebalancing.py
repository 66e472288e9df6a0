"""Rebalances: what is free moves at once and whole, what is tied up follows by itself, and nothing is ever borrowed."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.builders import BUY, CANCELED, SELL, Desk, action, strategy_scope
from tests.unit.conftest import OpenDesk
from tests.unit.risk.test_lifecycle import SIGNED, routed
from tidegate.numbers import plain
from tidegate.v1 import actors_pb2, admin_pb2, common_pb2, portfolio_pb2


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    """Open a desk whose strategies have routes, A at 100, B at 50 and F at 20."""
    opened = open_desk(routed())
    opened.bar(1, A="100", B="50", F="20")
    return opened


def request(name: str = "r1", *, dry_run: bool = False, **weights: str) -> admin_pb2.RebalanceRequest:
    """Write a rebalance."""
    entries = [admin_pb2.TargetWeight(strategy_id=s, weight=w) for s, w in weights.items()]
    return admin_pb2.RebalanceRequest(rebalance_id=name, weights=entries, dry_run=dry_run, **SIGNED)


def rebalance(desk: Desk, name: str = "r1", **weights: str) -> admin_pb2.RebalanceResponse:
    """Rebalance; it must not be refused."""
    return desk.ask("Rebalance", request(name, dry_run=False, **weights), admin_pb2.RebalanceResponse)


def equities(desk: Desk) -> list[str]:
    """Return the equity of cash, of margin and of the reserve."""
    found = [desk.book.strategies[s].ledger.equity for s in ("cash", "margin")]
    return [plain(amount) for amount in (*found, desk.book.reserve)]


def pending(desk: Desk) -> dict[str, str]:
    """Return what is shown to be pending."""
    shown = desk.ask("GetPortfolio", portfolio_pb2.GetPortfolioRequest(), portfolio_pb2.GetPortfolioResponse)
    return {one.strategy_id: one.amount for one in shown.rebalance.pending}


def codes(desk: Desk) -> list[str]:
    """Return the alerts' codes, oldest first."""
    return [alert.reason_code for alert in desk.alerts()][::-1]


def working(desk: Desk) -> list[tuple[str, str, str]]:
    """Return each working order's strategy, symbol and signed quantity."""
    orders = (order.request for order in desk.book.orders.values())
    return [(o.strategy_id, o.symbol, ("-" if o.side == SELL else "") + o.quantity) for o in orders]


class TestFree:
    """What is free moves in one event."""

    def test_capital_moves_to_the_weights_of_the_equity_of_now(self, desk: Desk) -> None:
        """Pins profits counted in, the one event, the reserve as what is left, and the answer's figures."""
        desk.hold("margin", "100", "100")
        desk.bar(2, A="150", B="50", F="20")
        before = desk.book.sequence
        answer = rebalance(desk, cash="0.4", margin="0.4")
        assert ["rebalanced"] == desk.kinds(before)
        assert ["42000", "42000", "21000"] == equities(desk)
        assert ("105000", "20000", "21000") == (answer.equity, answer.reserve, answer.reserve_target)
        assert [("cash", "50000", "42000", "-8000", "0"), ("margin", "35000", "42000", "7000", "0")] == [
            (leg.strategy_id, leg.equity, leg.target, leg.moved, leg.pending) for leg in answer.legs
        ]
        assert ("0", {}, []) == (desk.conserved(), pending(desk), codes(desk))
        assert desk.state() == desk.restarted().state()

    def test_a_strategy_that_is_not_named_keeps_what_it_has(self, desk: Desk) -> None:
        """Pins that its share counts all the same: together there is no more than everything."""
        rebalance(desk, margin="0.5")
        assert ["50000", "50000", "0"] == equities(desk)
        assert "REBALANCE_NOT_FUNDED" == desk.refusal("Rebalance", request("r2", margin="0.50001"))
        refused = desk.events("command_refused")[0].command_refused
        assert ("Rebalance", "r2", "ann") == (refused.command, refused.subject, refused.operator)
        assert (
            "of an equity of 100,000.00 the weights ask for 50,001.00; "
            "with what the other strategies have the reserve would be -1.00"
        ) == refused.reason

    def test_it_is_never_performance(self, desk: Desk) -> None:
        """Pins returns, high-water marks and capital of both sides."""
        desk.hold("margin", "100", "100")
        desk.bar(2, A="110", B="50", F="20")
        rebalance(desk, cash="0.2", margin="0.6")
        for _ in range(2):
            bar = actors_pb2.CompleteBarRequest(
                bar_sequence=desk.book.next_bar_sequence, seen_sequence=desk.book.sequence
            )
            desk.ask("CompleteBar", bar, actors_pb2.CompleteBarResponse)
        for strategy_id, expected in (("cash", "0.000000"), ("margin", "0.033333"), ("", "0.010000")):
            asked = portfolio_pb2.GetPerformanceRequest(strategy_id=strategy_id)
            found = desk.ask("GetPerformance", asked, portfolio_pb2.GetPerformanceResponse)
            assert expected == found.performance.total_return
        assert (Decimal(101_000), []) == (desk.book.high_water_mark, desk.events("limit_breached"))

    def test_a_part_of_a_cent_stays_where_it_is(self, desk: Desk) -> None:
        """Pins that whole cents move, and that conservation is exact to the last digit."""
        desk.fill(desk.buy("cash", "1").order_id, "1", "100", fee="0.00000001")
        rebalance(desk, cash="0.33333333", margin="0.33333333")
        assert ["33333.33999999", "33333.33", "33333.33"] == equities(desk)
        assert "0" == desk.conserved()

    def test_a_retry_moves_nothing_twice(self, desk: Desk) -> None:
        """Pins the first answer to the byte, also later and after a restart, and the refusal of other weights."""
        first = desk.reply("Rebalance", request(cash="0.1"))
        desk.bar(2, A="100", B="50", F="20")
        assert first == desk.reply("Rebalance", request(cash="0.1"))
        again = desk.restarted()
        assert first == again.reply("Rebalance", request(cash="0.1"))
        assert 1 == len(again.events("rebalanced"))
        assert "TRANSFER_ID_REUSED" == again.refusal("Rebalance", request(cash="0.2"))
        assert "TRANSFER_ID_REUSED" == again.deposit("1", "r1")
        assert "" == again.deposit("1", "d1")
        assert "TRANSFER_ID_REUSED" == again.refusal("Rebalance", request("d1", cash="0.2"))

    def test_a_dry_run_says_the_same_and_does_nothing(self, desk: Desk) -> None:
        """Pins answer and refusal, that nothing is recorded, and that the id stays free."""
        desk.hold("cash", "400", "100")
        before = desk.book.sequence
        shown = desk.ask("Rebalance", request(dry_run=True, cash="0.2"), admin_pb2.RebalanceResponse)
        assert "REBALANCE_NOT_FUNDED" == desk.refusal("Rebalance", request(dry_run=True, cash="1"))
        assert (before, 0) == (desk.book.sequence, shown.sequence)
        done = rebalance(desk, cash="0.2")
        assert done.sequence == before + 1
        done.sequence = 0
        assert shown == done

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"rebalance_id": ""}, "IDENTIFIER_INVALID"),
            ({"operator": ""}, "IDENTIFIER_INVALID"),
            ({"reason": " "}, "TEXT_INVALID"),
            ({"weights": [("ghost", "0.1")]}, "STRATEGY_UNKNOWN"),
            ({"weights": [("cash", "")]}, "AMOUNT_INVALID"),
            ({"weights": [("cash", "NaN")]}, "AMOUNT_INVALID"),
            ({"weights": [("cash", "-0.1")]}, "WEIGHTS_INVALID"),
            ({"weights": [("cash", "1.00000001")]}, "WEIGHTS_INVALID"),
            ({"weights": [("cash", "0.1"), ("cash", "0.1")]}, "WEIGHTS_INVALID"),
            ({"weights": [("cash", "0.5"), ("margin", "0.50000001")]}, "WEIGHTS_INVALID"),
        ],
    )
    def test_what_is_malformed_is_refused_and_not_recorded(
        self, desk: Desk, change: dict[str, Any], reason: str
    ) -> None:
        """Pins the codes, and that nothing has moved."""
        given: dict[str, Any] = {
            "rebalance_id": "r1",
            "operator": "ann",
            "reason": "plan",
            "weights": [("cash", "0.5")],
        } | change
        given["weights"] = [admin_pb2.TargetWeight(strategy_id=s, weight=w) for s, w in given["weights"]]
        before = len(desk.events())
        assert reason == desk.refusal("Rebalance", admin_pb2.RebalanceRequest(**given))
        assert (before, ["50000", "30000", "20000"]) == (len(desk.events()), equities(desk))

    def test_without_equity_there_is_nothing_to_weigh(self, desk: Desk) -> None:
        """Pins that weights of nothing are refused, not read as zero."""
        desk.fill(desk.buy("cash", "1").order_id, "1", "100", fee="100000")
        assert "REBALANCE_NOT_FUNDED" == desk.refusal("Rebalance", request(cash="0", margin="0"))

    def test_a_strategy_that_leaves_or_has_left_is_refused(self, desk: Desk) -> None:
        """Pins both."""
        desk.buy("cash", "1")
        for strategy_id in ("cash", "margin"):
            leave = admin_pb2.LiquidateStrategyRequest(strategy_id=strategy_id, remove=True, **SIGNED)
            desk.ask("LiquidateStrategy", leave, admin_pb2.LiquidateStrategyResponse)
            entry = admin_pb2.TargetWeight(strategy_id=strategy_id, weight="0")
            asked = admin_pb2.RebalanceRequest(rebalance_id=f"r-{strategy_id}", weights=[entry], **SIGNED)
            assert "STRATEGY_REMOVED" == desk.refusal("Rebalance", asked)


class TestTiedUp:
    """What is tied up becomes an order that reduces, and moves when its cash is there."""

    @pytest.mark.control("conservation")
    def test_it_moves_by_itself_as_it_becomes_free(self, desk: Desk) -> None:
        """Pins the order, each part that moves with its fill, the alerts, and the state over restarts."""
        desk.hold("cash", "400", "100")
        answer = rebalance(desk, cash="0.2", margin="0.6")
        # 30,000 are to go, 10,000 of cash are there.
        assert ("-10000", "-20000") == (answer.legs[0].moved, answer.legs[0].pending)
        assert [("A", SELL, "200")] == [(r.symbol, r.side, r.quantity) for r in answer.legs[0].reductions]
        # The reserve has nothing to give: it is to stay at 20,000.
        assert ["40000", "40000", "20000"] == equities(desk)
        assert {"cash": "-20000", "margin": "20000"} == pending(desk)
        assert ([("cash", "A", "-200")], ["REBALANCE_PENDING"]) == (working(desk), codes(desk))
        (order_id,) = desk.book.orders
        desk.fill(order_id, "50", "100")
        assert (["35000", "45000", "20000"], 1) == (equities(desk), len(working(desk)))
        again = desk.restarted()
        assert (desk.state(), {"cash": "-15000", "margin": "15000"}) == (again.state(), pending(again))
        again.fill(order_id, "150", "100")
        assert (["20000", "60000", "20000"], {}, "0") == (equities(again), pending(again), again.conserved())
        assert ["REBALANCE_PENDING", "REBALANCE_DONE"] == codes(again)
        assert again.state() == again.restarted().state()

    def test_a_fill_at_a_worse_price_is_followed_by_another_order(self, desk: Desk) -> None:
        """Pins that what is still missing is sold as well, and no more than that."""
        desk.hold("cash", "400", "100")
        rebalance(desk, cash="0.2")
        (order_id,) = desk.book.orders
        desk.price(1, A="90")
        desk.fill(order_id, "200", "90")
        assert ({"cash": "-2000"}, [("cash", "A", "-23")]) == (pending(desk), working(desk))
        (order_id,) = desk.book.orders
        desk.fill(order_id, "23", "90")
        assert ({}, Decimal(177)) == (pending(desk), desk.position("cash"))

    def test_what_brings_cash_goes_by_one_share_and_by_leverage_everything(self, desk: Desk) -> None:
        """Pins whole lots, and that a short position, whose purchase brings nothing, shrinks no more than it must."""
        desk.hold("margin", "300", "100")
        desk.hold("margin", "-300", "50", "B")
        # The proceeds of the short sale are no cash to give away: half of what was bought has to go.
        # And 15,000 carry an exposure of 30,000, not of 45,000: a third of everything.
        answer = rebalance(desk, margin="0.15")
        assert ("0", "-15000") == (answer.legs[0].moved, answer.legs[0].pending)
        assert [("margin", "A", "-150"), ("margin", "B", "100")] == working(desk)
        first, second = desk.book.orders
        desk.fill(first, "150", "100")
        desk.fill(second, "100", "50")
        assert (["50000", "15000", "35000"], {}) == (equities(desk), pending(desk))

    def test_a_reservation_that_ends_sets_its_cash_free(self, desk: Desk) -> None:
        """Pins that cash which a working buy holds needs no sale until it is spent."""
        order_id = desk.buy("cash", "400").order_id
        rebalance(desk, cash="0.2")
        assert ({"cash": "-20000"}, 1) == (pending(desk), len(working(desk)))
        desk.fill(order_id, "100", "100")
        assert [("cash", "A", "400")] == working(desk)
        desk.report(desk.execution(order_id, CANCELED))
        assert (["20000", "30000", "50000"], {}) == (equities(desk), pending(desk))

    def test_what_is_bought_meanwhile_is_sold_again(self, desk: Desk) -> None:
        """Pins the look at the strategy after each of its fills."""
        order_id = desk.buy("cash", "400").order_id
        rebalance(desk, cash="0.2")
        desk.fill(order_id, "400", "100")
        assert [("cash", "A", "-200")] == working(desk)

    def test_it_never_takes_what_carries_a_position(self, desk: Desk) -> None:
        """Pins that a margin strategy keeps within its own limit at every step, and lends nothing."""
        desk.hold("margin", "-500", "100")
        rebalance(desk, cash="0.9", margin="0.1")
        ledger = desk.book.strategies["margin"].ledger
        assert ledger.gross_exposure == 2 * ledger.equity
        # The reserve is to be nothing: its 20,000 go at once, and 15,000 wait.
        assert (["75000", "25000", "0"], {"margin": "-15000", "cash": "15000"}) == (equities(desk), pending(desk))
        assert [("margin", "A", "300")] == working(desk)

    def test_a_refused_order_is_alerted_and_the_rest_waits(self, desk: Desk) -> None:
        """Pins that a halt is not broken by it, and that an operator's own sale sets the capital free."""
        desk.hold("cash", "400", "100")
        desk.halt(strategy_scope("cash"))
        rebalance(desk, cash="0.2")
        assert ([], {"cash": "-20000"}) == (working(desk), pending(desk))
        assert ["OPERATOR_HALT", "REBALANCE_PENDING", "REBALANCE_BLOCKED"] == codes(desk)
        assert "200 A of cash are not closed for a rebalance: TRADING_HALTED" in desk.alerts()[0].text
        exit_ = desk.order("cash", SELL, "250", "A")
        exit_.emergency.operator, exit_.emergency.reason = "ann", "out"
        desk.fill(desk.submit(exit_).order_id, "250", "100")
        assert ({}, "0") == (pending(desk), desk.conserved())

    def test_a_strategy_without_a_route_reduces_by_itself(self, open_desk: OpenDesk) -> None:
        """Pins that nobody else sends its orders, and that its own sale is enough."""
        configured = routed()
        del configured.routes[:]
        desk = open_desk(configured)
        desk.bar(1, A="100", B="50", F="20")
        desk.hold("cash", "400", "100")
        rebalance(desk, cash="0.2")
        assert ([], "REBALANCE_BLOCKED") == (working(desk), codes(desk)[-1])
        assert "ROUTE_MISSING" in desk.alerts()[0].text
        desk.hold("cash", "-200", "100")
        assert {} == pending(desk)

    def test_an_order_that_is_too_large_goes_out_in_parts(self, open_desk: OpenDesk) -> None:
        """Pins the limit of one order, and that each fill is followed by the next part."""
        desk = open_desk(routed(max_order_quantity="150"))
        desk.bar(1, A="100", B="50", F="20")
        for quantity in ("150", "150", "100"):
            desk.hold("cash", quantity, "100")
        rebalance(desk, cash="0.2")
        assert [("cash", "A", "-150")] == working(desk)
        (order_id,) = desk.book.orders
        desk.fill(order_id, "150", "100")
        assert [("cash", "A", "-50")] == working(desk)

    def test_a_price_can_set_capital_free(self, desk: Desk) -> None:
        """Pins that a gain is room for a margin strategy, and that what was asked for is taken, not more."""
        desk.hold("margin", "-500", "100")
        rebalance(desk, margin="0.2")
        assert {"margin": "-5000"} == pending(desk)
        desk.price(1, A="80")
        assert ({}, Decimal(30_000)) == (pending(desk), desk.book.strategies["margin"].ledger.equity)

    def test_another_rebalance_takes_its_place(self, desk: Desk) -> None:
        """Pins that what was pending is given up and told, and that no weights at all only give up."""
        desk.hold("cash", "400", "100")
        rebalance(desk, cash="0.2")
        rebalance(desk, "r2", cash="0.3")
        assert {"cash": "-10000"} == pending(desk)
        ended = desk.events("rebalance_ended")[0].rebalance_ended
        assert ("r1", "REBALANCE_GIVEN_UP", "rebalance r2 takes its place") == (
            ended.rebalance_id,
            ended.reason_code,
            ended.reason,
        )
        assert [("cash", "-20000")] == [(move.strategy_id, move.amount) for move in ended.given_up]
        before = equities(desk)
        rebalance(desk, "r3")
        assert (before, {}) == (equities(desk), pending(desk))

    def test_a_strategy_that_leaves_gives_it_up(self, desk: Desk) -> None:
        """Pins that all its cash goes to the reserve, and that nobody waits for it."""
        desk.hold("cash", "400", "100")
        rebalance(desk, cash="0.2", margin="0.6")
        leave = admin_pb2.LiquidateStrategyRequest(strategy_id="cash", remove=True, **SIGNED)
        desk.ask("LiquidateStrategy", leave, admin_pb2.LiquidateStrategyResponse)
        assert ({}, "REBALANCE_GIVEN_UP") == (
            pending(desk),
            desk.events("rebalance_ended")[0].rebalance_ended.reason_code,
        )
        # One that was asked to be canceled and is filled all the same, and an exit for the rest.
        for order_id in list(desk.book.orders):
            desk.fill(order_id, "200", "100")
        assert (["0", "40000", "60000"], "0") == (equities(desk), desk.conserved())

    def test_capital_that_came_mends_a_breach(self, desk: Desk) -> None:
        """Pins that limits are held against the book after every move, whoever asked for it."""
        desk.hold("margin", "600", "100")
        desk.price(1, A="99")
        assert ["CAPITAL"] == [reason for reason, _ in desk.book.breaches]
        desk.hold("cash", "500", "99")
        rebalance(desk, cash="0.3", margin="0.4")
        assert ({}, 1) == (desk.book.breaches, len(desk.events("limit_restored")))

    def test_an_added_strategy_is_funded_by_it(self, desk: Desk) -> None:
        """Pins that it is one like all others."""
        add = admin_pb2.AddStrategyRequest(strategy_id="new", **SIGNED)
        desk.ask("AddStrategy", add, admin_pb2.AddStrategyResponse)
        rebalance(desk, new="0.3", cash="0.3", margin="0.3")
        assert Decimal(30_000) == desk.book.strategies["new"].ledger.equity
        assert "ALLOW" == action(desk.submit(desk.order("new", BUY, "300", "A")))
        assert (common_pb2.ACTION_ALLOW, "0") == (desk.buy("cash", "1").action, desk.conserved())


@pytest.mark.control("conservation")
def test_a_journal_tells_every_move_by_itself(desk: Desk) -> None:
    """Pins that the moves of all events add up to what the strategies got: nothing moves besides."""
    desk.hold("cash", "400", "100")
    rebalance(desk, cash="0.2", margin="0.6")
    (order_id,) = desk.book.orders
    desk.fill(order_id, "200", "100")
    moved: dict[str, Decimal] = {}
    for event in desk.events():
        for move in (*event.rebalanced.moves, *event.rebalance_advanced.moves):
            moved[move.strategy_id] = moved.get(move.strategy_id, Decimal(0)) + Decimal(move.amount)
    assert {"cash": Decimal(-30_000), "margin": Decimal(30_000)} == moved
