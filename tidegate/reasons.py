"""Every reason for a refusal, a warning, a halt or an alert: stable codes, from one place."""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A stable code, and what it means to its reader."""

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make the code itself the value, and keep its meaning beside it."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    meaning: str

    # Malformed input: nothing is recorded, the same input is refused again.
    MESSAGE_MALFORMED = "MESSAGE_MALFORMED", "The bytes are not the message that the method takes."
    METHOD_UNKNOWN = "METHOD_UNKNOWN", "The gate has no such method."
    IDENTIFIER_INVALID = "IDENTIFIER_INVALID", "An id is missing, longer than 64 characters, or not printable ASCII."
    SIDE_INVALID = "SIDE_INVALID", "The side is neither BUY nor SELL."
    ORDER_TYPE_INVALID = "ORDER_TYPE_INVALID", "The order type is not one that the gate knows."
    TIME_IN_FORCE_INVALID = "TIME_IN_FORCE_INVALID", "The time in force is not one that the gate knows."
    QUANTITY_INVALID = "QUANTITY_INVALID", "The quantity is not a positive plain decimal of at most 12 and 8 digits."
    PRICE_INVALID = "PRICE_INVALID", "The price is missing, or not a positive plain decimal of at most 12 and 8 digits."
    AMOUNT_INVALID = "AMOUNT_INVALID", "The amount is not a plain decimal of at most 12 and 8 digits, or not positive."
    TIME_INVALID = "TIME_INVALID", "The time is missing or outside 1970 to 2261."
    TEXT_INVALID = "TEXT_INVALID", "A required text is empty, or longer than 500 characters."
    EXECUTION_TYPE_INVALID = "EXECUTION_TYPE_INVALID", "The execution type is not one that the gate knows."
    SCOPE_INVALID = "SCOPE_INVALID", "The scope's kind is unknown, or its name does not fit its kind."
    LIMIT_INVALID = "LIMIT_INVALID", "The limit's figure, scope, action or thresholds do not go together."
    INSTRUMENT_INVALID = "INSTRUMENT_INVALID", "The portfolio file would not take the instrument as it is stated."
    HALT_LEVEL_INVALID = "HALT_LEVEL_INVALID", "The level is neither REDUCE_ONLY nor HALTED."
    STRATEGY_TERMS_INVALID = (
        "STRATEGY_TERMS_INVALID",
        "An added strategy cannot be of this kind, or have this leverage.",
    )
    WEIGHTS_INVALID = "WEIGHTS_INVALID", "A weight is not from 0 to 1, is given twice, or they add up to more than 1."
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE", "The batch has more entries than the method takes."
    BAR_EMPTY = "BAR_EMPTY", "The bar has no prices."
    SYMBOL_REPEATED = "SYMBOL_REPEATED", "A bar names the same symbol twice."
    EVENT_ARCHIVED = "EVENT_ARCHIVED", "The event has left the journal for an archive, which the text names."
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID", "The page token is not one that the gate gave out."

    # Who may.
    UNAUTHENTICATED = "UNAUTHENTICATED", "The call shows no token and no certificate that is valid."
    PERMISSION_DENIED = "PERMISSION_DENIED", "The caller may not call the method, or not for what the request names."
    OPERATOR_NOT_CALLER = "OPERATOR_NOT_CALLER", "The operator is somebody else than the caller, or the gate itself."
    ACCESS_CHANGED = "ACCESS_CHANGED", "The caller's rights have changed meanwhile. Call again."
    METHOD_ELSEWHERE = "METHOD_ELSEWHERE", "Another listener of this gateway answers the method."

    # Identity.
    CLIENT_ORDER_ID_REUSED = "CLIENT_ORDER_ID_REUSED", "The client_order_id was used before, for another order."
    EXECUTION_ID_REUSED = "EXECUTION_ID_REUSED", "The execution_id was used before, for another execution."
    TRANSFER_ID_REUSED = "TRANSFER_ID_REUSED", "The transfer_id was used before, for another transfer."
    STRATEGY_ID_TAKEN = "STRATEGY_ID_TAKEN", "The strategy_id is or was another strategy's; no id is used twice."
    STRATEGY_UNKNOWN = "STRATEGY_UNKNOWN", "No strategy has this id."
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN", "The instrument is not in the portfolio file."
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN", "The portfolio file names no such account, or another adapter's."
    ADAPTER_UNKNOWN = "ADAPTER_UNKNOWN", "The adapter is not in the portfolio file."
    ORDER_UNKNOWN = "ORDER_UNKNOWN", "The gate has no such order."

    # Order checks.
    TRADING_HALTED = "TRADING_HALTED", "Trading is halted, for the portfolio, the strategy or the instrument."
    REDUCE_ONLY = "REDUCE_ONLY", "Only orders that reduce a position pass now."
    STRATEGY_REMOVED = "STRATEGY_REMOVED", "The strategy was removed, or is to be removed once it is flat."
    STRATEGY_PAUSED = "STRATEGY_PAUSED", "The strategy is paused; only orders that reduce a position pass."
    PRICE_MISSING = "PRICE_MISSING", "The instrument has no price yet."
    PRICE_STALE = "PRICE_STALE", "The instrument's price is older than the limit."
    FX_RATE_MISSING = "FX_RATE_MISSING", "A foreign currency has no rate yet; it never counts as 1."
    FX_RATE_STALE = "FX_RATE_STALE", "The rate of the instrument's currency is older than the limit."
    MARGIN_NEEDED = "MARGIN_NEEDED", "A cash strategy may not trade futures."
    CURRENCY_NOT_AVAILABLE = "CURRENCY_NOT_AVAILABLE", "A cash strategy lacks the currency that the order takes."
    OPTION_EXPIRED = "OPTION_EXPIRED", "The option has expired."
    PRICE_UNCONFIRMED = (
        "PRICE_UNCONFIRMED",
        "The instrument's newest price is far from its mark and waits for its confirmation.",
    )
    PRICE_OFF_TICK = "PRICE_OFF_TICK", "The order's price is not a multiple of the instrument's tick."
    QUANTITY_OFF_LOT = "QUANTITY_OFF_LOT", "The quantity is not a multiple of the instrument's lot."
    INSTRUMENT_NOT_PERMITTED = "INSTRUMENT_NOT_PERMITTED", "The strategy may not trade the instrument."
    MARKET_CLOSED = "MARKET_CLOSED", "The instrument's exchange is closed, or its sessions are not known so far ahead."
    QUANTITY_TOO_SMALL = "QUANTITY_TOO_SMALL", "The quantity is below the instrument's smallest order."
    NOTIONAL_TOO_SMALL = "NOTIONAL_TOO_SMALL", "The value is below the instrument's smallest order."
    ORDER_QUANTITY = "ORDER_QUANTITY", "The quantity is above the limit of one order."
    ORDER_NOTIONAL = "ORDER_NOTIONAL", "The value is above the limit of one order."
    PRICE_COLLAR = "PRICE_COLLAR", "The order's limit is too far from the mark, or a stop order's from its stop."
    PRICE_MOVED = "PRICE_MOVED", "The instrument's price has moved too far within a short time; only reducing passes."
    DUPLICATE_ORDER = "DUPLICATE_ORDER", "The same order was accepted a moment before."
    MESSAGE_RATE = "MESSAGE_RATE", "The strategy, or all of them, sent too many messages within the second."
    WORKING_ORDERS = "WORKING_ORDERS", "The strategy, or all of them, have as many working orders as they may."
    DAILY_QUANTITY = "DAILY_QUANTITY", "The quantity that was accepted today would be over its limit."
    DAILY_NOTIONAL = "DAILY_NOTIONAL", "The value that was accepted today would be over its limit."
    EXECUTION_THROTTLE = (
        "EXECUTION_THROTTLE",
        "The strategy was filled too often within a short time; release it by hand.",
    )
    THROTTLE_RELEASED = "THROTTLE_RELEASED", "Somebody let a throttled strategy add risk again."
    SELF_TRADE = "SELF_TRADE", "The order would cross a working order of ours."
    NOT_REDUCING = "NOT_REDUCING", "The order is reduce_only and would do more than reduce the position."
    LEVERAGE = "LEVERAGE", "Gross exposure, working orders at their worst, is over its share of equity."
    CONCENTRATION = "CONCENTRATION", "One instrument's exposure, working orders at their worst, is over its share."
    DRAWDOWN = "DRAWDOWN", "Equity is too far below its high-water mark."
    GROSS_EXPOSURE = "GROSS_EXPOSURE", "Gross exposure of a scope, working orders at their worst, is over its limit."
    NET_EXPOSURE = (
        "NET_EXPOSURE",
        "Long less short exposure of a scope, working orders at their worst, is over its limit.",
    )
    VALUE_AT_RISK = "VALUE_AT_RISK", "What a bad session may lose, working orders at their worst, is over its share."
    EXPECTED_SHORTFALL = "EXPECTED_SHORTFALL", "What the worst sessions lose on average is over its share."
    VOLATILITY = "VOLATILITY", "The profits of past sessions on this book vary more than the limit allows."
    RISK_UNDEFINED = "RISK_UNDEFINED", "An instrument has too few sessions of returns for a limit that needs them."
    STRATEGY_CORRELATION = (
        "STRATEGY_CORRELATION",
        "Two strategies make the same, session by session; neither adds risk.",
    )
    DAILY_LOSS = "DAILY_LOSS", "Too much was lost since the UTC day began."
    CAPITAL = "CAPITAL", "The strategy's own capital does not carry the order."
    SHORT_SALE = "SHORT_SALE", "The strategy may not sell what it does not have."

    # Routing and the life of an order.
    ORDER_DONE = "ORDER_DONE", "The order is filled, canceled, rejected or expired."
    ORDER_PENDING_CANCEL = "ORDER_PENDING_CANCEL", "The order is being canceled."
    ORDER_NOT_ROUTED_HERE = "ORDER_NOT_ROUTED_HERE", "The order is not routed to this adapter."

    ORDER_OVERDUE = "ORDER_OVERDUE", "Nobody reported on the order within the time that its routing may take."
    REPLACE_PENDING = "REPLACE_PENDING", "The broker has not reported on the order's last replacement yet."
    REPLACE_CHANGES_NOTHING = "REPLACE_CHANGES_NOTHING", "The replacement has the order's own quantity and limit."
    REPLACE_BELOW_FILLED = "REPLACE_BELOW_FILLED", "The replacement's quantity is not above what is filled already."
    ADAPTER_DISCONNECTED = "ADAPTER_DISCONNECTED", "The stream that held the adapter's session ended."
    ADAPTER_SILENT = "ADAPTER_SILENT", "The adapter's heartbeats stayed away."
    SESSION_UNKNOWN = "SESSION_UNKNOWN", "The adapter has no such session, or no longer; watch the orders again."
    HEARTBEAT_INVALID = "HEARTBEAT_INVALID", "The heartbeat's interval is above 60 seconds."
    CANCEL_ALL = "CANCEL_ALL", "Somebody asked for the cancel of all orders of a scope."

    INSTRUMENT_IN_USE = (
        "INSTRUMENT_IN_USE",
        "The change would make the books wrong: what was traded keeps its multiplier, currency and product.",
    )

    # Halts, capital, bars.
    HALT_RESET = "HALT_RESET", "A halt was reset."
    ALERT_UNKNOWN = "ALERT_UNKNOWN", "No alert of the newest ones has this sequence."
    OPERATOR_HALT = "OPERATOR_HALT", "An operator halted trading."
    RESET_WOULD_HALT_AGAIN = "RESET_WOULD_HALT_AGAIN", "Trading would halt again at once; re-base the high-water mark."
    RESET_REQUESTED = "RESET_REQUESTED", "A person asks for a reset that another one has to confirm."
    RESET_EXPIRED = "RESET_EXPIRED", "Nobody has confirmed a reset in time; it has to be asked for anew."
    RESET_REQUEST_UNKNOWN = (
        "RESET_REQUEST_UNKNOWN",
        "No such request for a reset stands: it was confirmed, replaced or has expired, or a new halt came.",
    )
    RESET_NOT_BY_ANOTHER = "RESET_NOT_BY_ANOTHER", "Who asked for a reset cannot confirm it."
    ERROR_RATE = "ERROR_RATE", "Too many commands of the strategy were refused within the time; it is halted."
    DEAD_MAN = "DEAD_MAN", "A session that asked for it was lost; the strategies that route to its adapter are halted."
    FLATTEN = "FLATTEN", "The positions of a scope are to be closed."
    FLATTENED = "FLATTENED", "A position that was to be closed is closed."
    FLATTEN_INCOMPLETE = "FLATTEN_INCOMPLETE", "A position that was to be closed is not; it has to be asked for anew."
    ROUTE_MISSING = "ROUTE_MISSING", "The portfolio file names no adapter that would send the strategy's orders."
    HIGH_WATER_MARK_UNDECIDED = "HIGH_WATER_MARK_UNDECIDED", "A reset must say whether to re-base the high-water mark."
    CASH_NOT_AVAILABLE = "CASH_NOT_AVAILABLE", "The cash is not there, is reserved, or is the proceeds of a short sale."
    TRANSFER_BREAKS_LIMIT = "TRANSFER_BREAKS_LIMIT", "The transfer would put the strategy over its own limit."
    TRANSFER_TO_ITSELF = "TRANSFER_TO_ITSELF", "The transfer's two sides are the same."
    STRATEGY_NOT_FLAT = "STRATEGY_NOT_FLAT", "The strategy still has positions, working orders, foreign cash or a debt."
    REBALANCE_NOT_FUNDED = "REBALANCE_NOT_FUNDED", "There is not the equity that the weights ask for."
    REBALANCE_PENDING = "REBALANCE_PENDING", "A rebalance waits for capital that is tied up."
    REBALANCE_BLOCKED = "REBALANCE_BLOCKED", "An order that would set capital free for a rebalance was refused."
    REBALANCE_DONE = "REBALANCE_DONE", "What a rebalance waited for has moved."
    REBALANCE_GIVEN_UP = "REBALANCE_GIVEN_UP", "What a rebalance still waited for is not moved any more."
    BAR_OUT_OF_ORDER = "BAR_OUT_OF_ORDER", "The bar is not newer than the last one."
    PRICE_OUT_OF_ORDER = "PRICE_OUT_OF_ORDER", "The price is older than the instrument's mark, or from the future."
    REPORTS_UNAVAILABLE = (
        "REPORTS_UNAVAILABLE",
        "No risk reports are made: the portfolio file asks for none, or the extra tidegate[statistics] is missing.",
    )
    POSITION_RISK = "POSITION_RISK", "A position may lose more in a session than its share of equity."
    POSITION_CORRELATION = "POSITION_CORRELATION", "A position moves with the portfolio's others more than it may."
    DRAWDOWN_CRITICAL = (
        "DRAWDOWN_CRITICAL",
        "A session ended with equity further below its high-water mark than it may.",
    )
    BAR_UNKNOWN = "BAR_UNKNOWN", "The sequence is not that of the newest bar."

    # Statements and suspense.
    STATEMENT_INVALID = "STATEMENT_INVALID", "The statement states the same thing twice."
    STATEMENT_OUT_OF_ORDER = "STATEMENT_OUT_OF_ORDER", "The statement is too old, or from the future."
    RECONCILIATION_BREAK = (
        "RECONCILIATION_BREAK",
        "A broker's statement differs from the books, and nothing explains it.",
    )
    RECONCILIATION_IN_FLIGHT = (
        "RECONCILIATION_IN_FLIGHT",
        "A broker's statement differs from the books by what it may not have reported yet.",
    )
    RECONCILED = "RECONCILED", "A broker's statement differs from the books no longer."
    FILL_NOT_IN_SUSPENSE = "FILL_NOT_IN_SUSPENSE", "The account has no such fill in the suspense ledger."
    SUSPENSE_ASSIGNED_ELSEWHERE = "SUSPENSE_ASSIGNED_ELSEWHERE", "The fill was assigned to another strategy before."

    # What the gate itself raises.
    STRATEGY_FAILED = "STRATEGY_FAILED", "The strategy's code raised; it is paused."
    STRATEGY_LATE = "STRATEGY_LATE", "The strategy missed the bar's deadline; it is paused and its orders are void."
    LEDGER_DIFFERS = "LEDGER_DIFFERS", "The strategy's ledger differs from the book; it is paused and halted."
    EXECUTION_OF_UNKNOWN_ORDER = "EXECUTION_OF_UNKNOWN_ORDER", "A fill of an order never seen: in the suspense ledger."
    EXECUTION_REFERENCE_UNKNOWN = (
        "EXECUTION_REFERENCE_UNKNOWN",
        "The account has no such fill to take back, or it was taken back before.",
    )
    REFUSALS_COUNTED = "REFUSALS_COUNTED", "A sender is refused so often that its refusals are only counted."
    EXECUTION_OVERFILL = "EXECUTION_OVERFILL", "The broker filled more than the order asked for."
    EXECUTION_AFTER_DONE = "EXECUTION_AFTER_DONE", "The broker filled an order that it had reported done."
    EXECUTION_BY_OTHER_ADAPTER = (
        "EXECUTION_BY_OTHER_ADAPTER",
        "An adapter reported on an order that another one routes; it is booked.",
    )
    EXECUTION_OF_UNKNOWN_REPLACEMENT = (
        "EXECUTION_OF_UNKNOWN_REPLACEMENT",
        "The broker reports on a replacement that the gate has not asked for: what it works is not known.",
    )
    CASH_NEGATIVE = "CASH_NEGATIVE", "A cash strategy's cash went below zero by a fill or a fee."
    UNPLANNED_RESTART = "UNPLANNED_RESTART", "The gate came back without having ended in order; look, then reset."
    COMMAND_QUARANTINED = (
        "COMMAND_QUARANTINED",
        "The gate ended twice while it decided this very command, alone; it is not decided again.",
    )
    INTERNAL = "INTERNAL", "The gate failed on this command; nothing changed."
    RISK_MANAGER_UNAVAILABLE = "RISK_MANAGER_UNAVAILABLE", "The RiskManager is away: unknown, not no. Retry."
    READER_TOO_SLOW = (
        "READER_TOO_SLOW",
        "The stream's reader did not keep up and was cut off; resume from its last place.",
    )
    OVERLOADED = "OVERLOADED", "Too many requests wait already. Retry later."
