"""An adapter's session."""

from typing import NamedTuple

from tidegate.v1 import common_pb2


class Session(NamedTuple):
    """An adapter's session: when it is lost, the adapter's working orders are to be canceled."""

    session_id: str
    heartbeat_s: int
    halt_on_loss: common_pb2.HaltLevel.ValueType = common_pb2.HALT_LEVEL_UNSPECIFIED
