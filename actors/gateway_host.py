"""An actor that holds a gateway apart from the RiskManager, on any node."""

import os

import ray

from actors.heartbeat import Heartbeat
from actors.line import Line, line_of
from actors.logs import open_log
from actors.names import NAMESPACE
from actors.port import FrontDoor, OpenFrontDoor
from actors.ray_port import RayPort
from actors.restarts import start_again_after_a_restart
from actors.risk_manager import RiskManagerSettings


class GatewayHost:
    """A thin shell: a front door that stands on the RiskManager's port, by its line if that is on this machine."""

    def __init__(
        self, name: str, open_front_door: OpenFrontDoor, risk_manager: str, settings: RiskManagerSettings
    ) -> None:
        """Keep the settings; ``start`` does what can fail."""
        self._open_front_door = open_front_door
        self._risk_manager = risk_manager
        self._run = settings.run
        self._log = open_log(settings.logs, f"gateway_{name}")
        self._front_door: FrontDoor | None = None
        self._heartbeat = Heartbeat(lambda: True, self._log)
        start_again_after_a_restart(self.start, self._log)

    async def start(self) -> None:
        """Open the front door; raises TidegateError when its port is taken, or others may enter the line's folder."""
        if self._front_door is None:
            port = RayPort(ray.get_actor(self._risk_manager, NAMESPACE), Line(line_of(self._run)))
            self._front_door = await self._open_front_door(port)

    async def process_id(self) -> int:
        """Return this process's id."""
        return os.getpid()

    async def stop(self) -> None:
        """Close the front door."""
        if self._front_door is not None:
            await self._front_door.close()
