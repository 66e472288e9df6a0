"""What capital brings to a life: strategies that are added, liquidated and removed, and rebalances that wait."""

from fractions import Fraction
from math import floor, trunc
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.property import wire
from tests.property.adapter_machine import kinds
from tests.property.listing_machine import ListingMachine
from tests.property.machine import NUMBER
from tests.property.rig import STRATEGIES, request
from tidegate.reasons import Reason
from tidegate.v1 import admin_pb2, common_pb2

if TYPE_CHECKING:
    from tidegate.gate import Reply, Request

NAMES = (*STRATEGIES, *wire.ADDED)


class CapitalMachine(ListingMachine):
    """
    A life in which the strategies and their capital change as well.

    The rig compares who is there and what is pending after every batch: what is free has moved, who is flat has left.
    """

    def __init__(self) -> None:
        """Begin with the strategies of the portfolio file."""
        super().__init__()
        self.rebalanced: list[tuple[Request, Reply]] = []

    @rule(name=st.sampled_from(NAMES), amount=wire.AMOUNTS | st.just(""), route=st.sampled_from(["paper", "spare", ""]))
    def add_strategy(self, name: str, amount: str, route: str) -> None:
        """Add a strategy: once, and with no more than the reserve has; the same words again change nothing."""
        naive = self.rig.naive
        message = admin_pb2.AddStrategyRequest(
            strategy_id=name, amount=amount, max_leverage="2", route=route, operator="ann", reason="more"
        )
        is_known, is_too_much = name in naive.terms, Fraction(amount or 0) > naive.reserve
        (reply,) = self.rig.send(request("AddStrategy", message))
        if is_known:
            is_retry = not reply.reason
            assert is_retry or reply.reason == Reason.STRATEGY_ID_TAKEN
            assert not (is_retry and self.rig.events)
            return
        assert reply.reason == (Reason.CASH_NOT_AVAILABLE if is_too_much else "")
        if not is_too_much:
            assert naive.equity_of(name) == Fraction(amount or 0)
            assert self.rig.send(request("AddStrategy", message)) == [reply]
            assert not self.rig.events

    @rule(name=st.sampled_from([*NAMES, "ghost"]))
    def remove_strategy(self, name: str) -> None:
        """Remove a strategy: only when it is flat, and its cash is the reserve's."""
        naive = self.rig.naive
        message = admin_pb2.RemoveStrategyRequest(strategy_id=name, operator="ann", reason="less")
        if name not in naive.terms:
            expected = str(Reason.STRATEGY_UNKNOWN)
        else:
            expected = "" if name in naive.removed or naive.is_flat(name) else str(Reason.STRATEGY_NOT_FLAT)
        equity = naive.equity()
        (reply,) = self.rig.send(request("RemoveStrategy", message))
        assert reply.reason == expected
        assert naive.equity() == equity
        assert bool(expected) or name in naive.removed

    @rule(name=st.sampled_from(NAMES), remove=st.booleans())
    def liquidate(self, name: str, *, remove: bool) -> None:
        """Liquidate a strategy: it adds no risk from then on, and leaves once it is flat."""
        naive = self.rig.naive
        if name not in naive.terms or name in naive.removed:
            return
        was_leaving = name in naive.leaving
        message = admin_pb2.LiquidateStrategyRequest(strategy_id=name, operator="ann", reason="out", remove=remove)
        (reply,) = self.rig.send(request("LiquidateStrategy", message))
        assert not reply.reason
        answer = admin_pb2.LiquidateStrategyResponse.FromString(reply.body)
        assert answer.removed is (name in naive.removed)
        assert answer.removed or (common_pb2.SCOPE_KIND_STRATEGY, name) in naive.halts
        assert (remove or was_leaving) is (name in naive.removed | naive.leaving)

    @rule(names=st.lists(st.sampled_from(NAMES), max_size=4, unique=True), number=NUMBER, dry_run=st.booleans())
    def rebalance(self, names: list[str], number: int, *, dry_run: bool) -> None:
        """Rebalance: whole or refused as the model says; what has not moved is pending, and nobody borrows."""
        naive = self.rig.naive
        weights = {name: wire.WEIGHTS[(number + place) % len(wire.WEIGHTS)] for place, name in enumerate(names)}
        message = admin_pb2.RebalanceRequest(
            rebalance_id=self.next_id(), operator="ann", reason="weights", dry_run=dry_run
        )
        for name, weight in weights.items():
            message.weights.add(strategy_id=name, weight=weight)
        expected, equity = self.refusal_of_weights(weights), naive.equity()
        wanted = {} if expected else self.wanted(weights)
        (reply,) = self.rig.send(request("Rebalance", message))
        assert reply.reason == expected
        assert naive.equity() == equity
        if expected:
            return
        answer = admin_pb2.RebalanceResponse.FromString(reply.body)
        assert {leg.strategy_id: Fraction(leg.moved) + Fraction(leg.pending) for leg in answer.legs} == wanted
        if dry_run:
            assert not self.rig.events
            return
        assert "rebalanced" in kinds(self.rig.events)
        assert naive.reserve >= 0
        self.rebalanced.append((request("Rebalance", message), reply))
        for leg in answer.legs:
            if Fraction(leg.moved) < 0:
                self.owes_nobody(leg.strategy_id)

    def refusal_of_weights(self, weights: dict[str, str]) -> str:
        naive = self.rig.naive
        if not set(weights) <= set(naive.terms):
            return Reason.STRATEGY_UNKNOWN
        if sum(map(Fraction, weights.values())) > 1:
            return Reason.WEIGHTS_INVALID
        if set(weights) & (naive.removed | naive.leaving):
            return Reason.STRATEGY_REMOVED
        is_funded = naive.equity() > 0 and sum(self.wanted(weights).values()) <= naive.reserve
        return "" if is_funded or not weights else Reason.REBALANCE_NOT_FUNDED

    def wanted(self, weights: dict[str, str]) -> dict[str, Fraction]:
        """Say what each strategy is to get, in whole cents."""
        naive = self.rig.naive
        targets = {name: Fraction(floor(naive.equity() * Fraction(w) * 100), 100) for name, w in weights.items()}
        return {name: Fraction(trunc((t - naive.equity_of(name)) * 100), 100) for name, t in targets.items()}

    def owes_nobody(self, name: str) -> None:
        naive = self.rig.naive
        terms = naive.terms[name]
        ledger = self.rig.gate.engine.book.strategies[name].ledger
        assert Fraction(ledger.cash) >= naive.reserved_cash(name)
        within = naive.gross_of(name) <= wire.share(terms.max_leverage) * naive.equity_of(name)
        assert terms.kind == "cash" or within

    @precondition(lambda self: self.rebalanced)
    @rule(number=NUMBER)
    def rebalance_again(self, number: int) -> None:
        """Repeat a rebalance: answered as before, and nothing moves."""
        again, first = self.rebalanced[number % len(self.rebalanced)]
        assert self.rig.send(again) == [first]
        assert not self.rig.events
