"""What falls due by itself when time goes on."""

from itertools import chain, islice, takewhile

from tidegate.orders import Order
from tidegate.reasons import Reason
from tidegate.risk.cancels import request_cancels
from tidegate.risk.draft import Draft
from tidegate.risk.halting import is_expired
from tidegate.risk.limit_changes import expire_limits
from tidegate.times import NS_PER_S
from tidegate.v1 import actors_pb2, journal_pb2

# One batch alerts of so many orders at most; the rest is alerted with the next one.
ALERTS_MAX = 500


def advance_time(draft: Draft, _command: actors_pb2.AdvanceTimeRequest) -> actors_pb2.AdvanceTimeResponse:
    """
    Alert about orders that nobody reports on, and ask for their cancel when that lasts.

    An order has ``route_within_s`` until the alert, and as long again until the cancel. An order that its submitter
    sends itself is only alerted: its permission has run out, and only the submitter knows what it did with it.
    A reset that no second person has confirmed in time has to be asked for anew.
    """
    expire_limits(draft)
    configuration = draft.book.configuration
    if configuration is None:
        return actors_pb2.AdvanceTimeResponse()
    book, within_ns = draft.book, configuration.route_within_s * NS_PER_S

    def is_due(order: Order) -> bool:
        return draft.now_ns - order.instructed_ns > within_ns

    # Those that their submitters send lie in the order of their instructions, and leave once they are alerted.
    unreported = takewhile(is_due, book.unreported.values())
    routed = (order for order in book.awaiting.values() if not order.overdue and is_due(order))
    for order in islice(chain(routed, unreported), ALERTS_MAX):
        overdue = journal_pb2.OrderOverdue(order_id=order.order_id, strategy_id=order.request.strategy_id)
        draft.record(order_overdue=overdue)
    lasting = (o for o in book.awaiting.values() if draft.now_ns - o.instructed_ns > 2 * within_ns)
    request_cancels(draft, lasting, Reason.ORDER_OVERDUE)
    for asked in book.reset_requests.values():
        if is_expired(draft, asked):
            body = asked.reset_requested
            expired = journal_pb2.ResetExpired(
                scope=body.scope, request_sequence=asked.sequence, operator=body.operator
            )
            draft.record(reset_expired=expired)
    return actors_pb2.AdvanceTimeResponse()
