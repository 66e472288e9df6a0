"""What falls due by itself when time goes on."""

from itertools import chain

from tidegate.reasons import Reason
from tidegate.risk.cancels import request_cancels
from tidegate.risk.draft import Draft
from tidegate.times import NS_PER_S
from tidegate.v1 import actors_pb2, journal_pb2


def advance_time(draft: Draft, _command: actors_pb2.AdvanceTimeRequest) -> actors_pb2.AdvanceTimeResponse:
    """
    Alert about orders that nobody reports on, and ask for their cancel when that lasts.

    An order has ``route_within_s`` until the alert, and as long again until the cancel. An order that its submitter
    sends itself is only alerted: its permission has run out, and only the submitter knows what it did with it.
    """
    configuration = draft.book.configuration
    if configuration is None:
        return actors_pb2.AdvanceTimeResponse()
    within_ns = configuration.route_within_s * NS_PER_S
    lasting = []
    for order in chain(draft.book.awaiting.values(), draft.book.unreported.values()):
        waited_ns = draft.now_ns - order.instructed_ns
        if waited_ns > within_ns and not order.overdue:
            overdue = journal_pb2.OrderOverdue(order_id=order.order_id, strategy_id=order.request.strategy_id)
            draft.record(order_overdue=overdue)
        if waited_ns > 2 * within_ns and order.request.route:
            lasting.append(order)
    request_cancels(draft, lasting, Reason.ORDER_OVERDUE)
    return actors_pb2.AdvanceTimeResponse()
