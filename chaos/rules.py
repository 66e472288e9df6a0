"""What must hold at every place in the journal: once, halts, limits with the working orders at their worst."""

from collections.abc import Iterator
from decimal import Decimal

from chaos.sums import NS_PER_S, PORTFOLIO, ZERO, Sums
from tidegate.v1 import common_pb2, journal_pb2, orders_pb2

_HALTED = common_pb2.HALT_LEVEL_HALTED
_STRATEGY, _INSTRUMENT = common_pb2.SCOPE_KIND_STRATEGY, common_pb2.SCOPE_KIND_INSTRUMENT


class Rules:
    """Takes the events one after the other and names what must not be."""

    def __init__(self, sums: Sums) -> None:
        """Stand on the sums that the events so far come to."""
        self.sums = sums
        self._limits = sums.configured.limits
        self._used: set[tuple[str, ...]] = set()

    def take(self, event: journal_pb2.Event) -> Iterator[str]:
        """Judge one event, and add it to the sums."""
        place, kind = f"event {event.sequence}", event.WhichOneof("body")
        for key in _keys(event):
            if key in self._used:
                yield f"{place}: {' '.join(key)} for the second time"
            self._used.add(key)
        order, reduces = None, False
        if kind == "order_decided" and event.order_decided.decision.order_id:
            order = event.order_decided.order
        elif kind == "replace_decided" and event.replace_decided.decision.order_id:
            order = self._replaced(event.replace_decided)
        elif kind == "order_claimed":
            yield from self._claim(place, event.order_claimed.order_id)
        if order is not None:
            reduces = self._reduces(event, order)
            yield from self._permitted(event, order, reduces=reduces)
        if found := self.sums.take(event):
            yield found if found.startswith("event") else f"{place}: {found}"
        if order is not None and not reduces:
            yield from (f"{place}: {text}" for text in self._over(order))

    def _replaced(self, decided: journal_pb2.ReplaceDecided) -> orders_pb2.NewOrder:
        known = self.sums.orders[decided.order_id]
        return orders_pb2.NewOrder(
            strategy_id=known.owner,
            symbol=known.symbol,
            side=common_pb2.SIDE_BUY if known.is_buy else common_pb2.SIDE_SELL,
            quantity=decided.replace.quantity,
            limit_price=decided.replace.limit_price,
        )

    def _reduces(self, event: journal_pb2.Event, order: orders_pb2.NewOrder) -> bool:
        """Tell whether an order is opposite to its position, and no larger than what the others leave of it."""
        sums, place, is_buy = self.sums, (order.strategy_id, order.symbol), order.side == common_pb2.SIDE_BUY
        held, working = sums.held.get(place, ZERO), (sums.buys if is_buy else sums.sells)[place]
        if event.HasField("order_decided"):
            quantity = Decimal(event.order_decided.decision.approved_quantity)
        else:
            replaced = sums.orders[event.replace_decided.order_id]
            working -= replaced.reserved[0]
            quantity = max(Decimal(order.quantity) - replaced.filled, replaced.reserved[0])
        return (held < 0 if is_buy else held > 0) and quantity + working <= abs(held)

    def _permitted(self, event: journal_pb2.Event, order: orders_pb2.NewOrder, *, reduces: bool) -> Iterator[str]:
        place, sums = f"event {event.sequence}", self.sums
        scopes = (PORTFOLIO, (_STRATEGY, order.strategy_id), (_INSTRUMENT, order.symbol))
        levels = [sums.halts[scope] for scope in scopes if scope in sums.halts]
        if _HALTED in levels and not (reduces and order.HasField("emergency")):
            yield f"{place}: an order of {order.strategy_id}'s was accepted after a halt and before its reset"
        elif (levels or order.strategy_id in sums.paused) and not reduces:
            yield f"{place}: {order.strategy_id} adds risk while it may only reduce"
        if order.symbol not in sums.mark_times_ns:
            yield f"{place}: an order in {order.symbol} was accepted, which has no price"
        elif not (reduces and (order.limit_price or order.HasField("emergency"))):
            now_ns = event.time.seconds * NS_PER_S + event.time.nanos
            if now_ns - sums.mark_times_ns[order.symbol] > self._limits.max_price_age_s * NS_PER_S:
                yield f"{place}: an order in {order.symbol} was accepted at a stale price"

    def _over(self, order: orders_pb2.NewOrder) -> Iterator[str]:
        """Name the limits that the book is over, now that an order which adds risk was accepted."""
        sums, limits = self.sums, self._limits
        equity = sums.equity() - sum(sums.reserved_loss.values(), ZERO)
        yield from self._over_own(order)
        if limits.max_leverage and (gross := sums.exposure()) > Decimal(limits.max_leverage) * equity:
            yield f"gross exposure {gross} is over {limits.max_leverage} times {equity}"
        shared = sums.exposure(symbol=order.symbol)
        if limits.max_concentration and shared > Decimal(limits.max_concentration) * equity:
            yield f"exposure to {order.symbol} {shared} is over {limits.max_concentration} of {equity}"
        for share in (limits.max_drawdown, limits.halt_drawdown):
            if share and (equity <= 0 or equity < (1 - Decimal(share)) * sums.peak):
                yield f"equity at worst {equity} is more than {share} below {sums.peak}"
        if equity <= 0:
            yield f"equity at worst {equity} carries no order"

    def _over_own(self, order: orders_pb2.NewOrder) -> Iterator[str]:
        """Name what its strategy's own capital does not carry."""
        sums, limits, owner = self.sums, self._limits, order.strategy_id
        own, terms = sums.equity_of(owner) - sums.reserved_loss[owner], sums.terms[owner]
        if own <= 0:
            yield f"{owner}'s equity at worst {own} carries no order"
        if terms.kind == "margin":
            if (gross := sums.exposure(owner)) > Decimal(terms.max_leverage) * own:
                yield f"{owner}'s gross exposure {gross} is over {terms.max_leverage} times {own}"
        elif order.side == common_pb2.SIDE_SELL:
            yield f"{owner} sells short, and has cash only"
        elif sums.reserved_cash[owner] > sums.cash[owner]:
            yield f"{owner}'s buys may take {sums.reserved_cash[owner]}, and it has {sums.cash[owner]}"
        quantity = Decimal(order.quantity)
        if limits.max_order_quantity and quantity > Decimal(limits.max_order_quantity) and not order.accept_reduced:
            yield f"an order of {quantity} is over {limits.max_order_quantity}"

    def _claim(self, place: str, order_id: str) -> Iterator[str]:
        order = self.sums.orders[order_id]
        if order.claimed:
            yield f"{place}: order {order_id} was claimed twice"
        if order.canceling or order.ended:
            yield f"{place}: order {order_id} was claimed, and it is canceled or done"
        scopes = (PORTFOLIO, (_STRATEGY, order.owner), (_INSTRUMENT, order.symbol))
        if _HALTED in [self.sums.halts.get(scope) for scope in scopes] and not order.is_exit:
            yield f"{place}: order {order_id} was claimed in a halt"
        order.claimed = True


def _keys(event: journal_pb2.Event) -> Iterator[tuple[str, ...]]:
    """Name the senders' ids that an event uses up for ever."""
    kind = event.WhichOneof("body")
    if kind == "order_decided":
        yield "order", event.order_decided.order.strategy_id, event.order_decided.order.client_order_id
    elif kind == "replace_decided":
        yield "order", event.replace_decided.replace.strategy_id, event.replace_decided.replace.client_order_id
    elif kind == "execution_booked":
        yield "execution", event.execution_booked.account, event.execution_booked.execution.execution_id
    elif kind in ("capital_transferred", "capital_moved"):
        yield "transfer", getattr(event, kind).transfer_id
