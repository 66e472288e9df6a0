"""Machines that one reaches by SSH, for Ray's cluster launcher: a head and a worker, both of them this machine."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.names import JOURNAL_RESOURCE
from gateway.testing import free_address

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "cluster-on-premises.yaml"
HEAD, WORKER = "127.0.0.2", "127.0.0.3"
BIN = Path(sys.executable).parent
# Where Debian has what only root runs; the path of another user may not go there.
PATH = f"{os.environ['PATH']}:/usr/sbin"


@dataclass
class Machines:
    """The launcher's own folder and the folder of the two machines, which share a home."""

    launcher: Path
    node: Path
    config: Path

    def ray(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Ray's to its end, where the launcher is."""
        own = {"HOME": str(self.launcher), "RAY_TMPDIR": str(self.launcher), "TMPDIR": str(self.launcher)}
        own |= {"PATH": f"{self.launcher}:{PATH}", "RAY_USAGE_STATS_ENABLED": "0", "TERM": "dumb"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return subprocess.run(  # noqa: S603 -- the program under test
            [BIN / "ray", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=120,
            env=kept | own,
        )

    def on_head(self, command: str) -> str:
        """Run a command on the head, by SSH; return what it said."""
        done = self.ray("exec", "--no-config-cache", str(self.config), command)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def wait_for_worker(self) -> None:
        """Wait until the head has brought up the other machine: it writes down what it does."""
        log, deadline = self.node / "ray" / "session_latest" / "logs" / "monitor.out", time.monotonic() + 60
        while f"NodeUpdater: {WORKER}: Ray start commands succeeded" not in (said := log.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, said
            time.sleep(0.2)


@contextmanager
def machines() -> Iterator[Machines]:
    """
    Let two addresses of this machine be reached by SSH, and write the launcher's file for them.

    Skips the test where no SSH server can run, and says why. In the end all that was started is ended, and no more.
    """
    missing = [name for name in ("sshd", "ssh", "ssh-keygen", "rsync") if shutil.which(name, path=PATH) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} on this machine: apt-get install openssh-server openssh-client rsync")
    # Not the test's own folder: its name is too long for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="tidegate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own = Machines(folder / "launcher", folder / "node", folder / "cluster.yaml")
        own.launcher.mkdir()
        own.node.mkdir()
        with _ssh_server(own):
            own.config.write_text(yaml.safe_dump(_launched_here(own)), encoding="utf-8")
            try:
                yield own
            finally:
                _end_all(own.node)


@contextmanager
def _ssh_server(own: Machines) -> Iterator[None]:
    """Serve SSH on 127.0.0.1, for one key; who comes in finds the machines' home and Ray's files in our folder."""
    port = free_address().rpartition(":")[2]
    for key in ("host_key", "key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own.launcher / key))
    environment = {
        "HOME": own.node,
        "RAY_TMPDIR": own.node,
        "PYTHONPATH": ROOT,
        "AUTOSCALER_UPDATE_INTERVAL_S": 1,  # Ray's own is 5 s: the head looks so often whether a worker is missing
    }
    config = own.launcher / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {own.launcher}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {own.launcher}/key.pub\nStrictModes no\nAuthenticationMethods publickey\n"
        f"SetEnv {' '.join(f'{name}={value}' for name, value in environment.items())}\n",
        encoding="utf-8",
    )
    # What a person would write into ~/.ssh/config, which ssh looks for in the user's true home.
    for place in (own.launcher / "ssh", own.node / "ssh"):
        place.write_text(
            f"#!/bin/sh\nexec {shutil.which('ssh')} -o HostName=127.0.0.1 -o Port={port} -o ControlPath=none "
            '-i "$HOME/ray_bootstrap_key.pem" "$@"\n',
            encoding="utf-8",
        )
        place.chmod(0o755)
    (own.node / ".bashrc").write_text("PATH=~:$PATH\n", encoding="utf-8")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where it locks itself in, as root; Debian makes it at boot
    with (own.launcher / "sshd.log").open("w") as log:
        server = subprocess.Popen([shutil.which("sshd", path=PATH) or "", "-D", "-e", "-f", config], stderr=log)  # noqa: S603 -- found above
        try:
            _come_in(own, server)
            yield
        finally:
            server.terminate()
            server.wait()


def _come_in(own: Machines, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server lets us in; skip the test where it does not."""
    deadline = time.monotonic() + 10
    words = ["-i", str(own.launcher / "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    while True:
        tried = _run(str(own.launcher / "ssh"), *words, "-o", "BatchMode=yes", f"{getpass.getuser()}@{HEAD}", "true")
        if tried.returncode == 0:
            return
        if server.poll() is not None or time.monotonic() > deadline:
            log = (own.launcher / "sshd.log").read_text(encoding="utf-8")
            pytest.skip(f"no SSH server can run on this machine: {log.strip() or tried.stderr}")
        time.sleep(0.05)


def _launched_here(own: Machines) -> dict[str, Any]:
    """Change in the file that we ship what a person would, and what two machines on one ask for."""
    config: dict[str, Any] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    config["auth"] = {"ssh_user": getpass.getuser(), "ssh_private_key": str(own.launcher / "key")}
    port = free_address().rpartition(":")[2]
    changed = {"/opt/venv": sys.prefix, "6379": port}
    for key in ("setup_commands", "head_start_ray_commands", "worker_start_ray_commands"):
        # `ray stop` ends every Ray of a machine: here also those of other tests.
        commands = [command for command in config[key] if not command.endswith("ray stop")]
        for old, new in changed.items():
            commands = [command.replace(old, new) for command in commands]
        config[key] = commands
    for key, address in (("head_start_ray_commands", HEAD), ("worker_start_ray_commands", WORKER)):
        config[key][-1] += f" --node-ip-address={address} --num-cpus=1 --min-worker-port=0 --max-worker-port=0"
    assert JOURNAL_RESOURCE in config["head_start_ray_commands"][-1]
    return config


def _end_all(node: Path) -> None:
    """Kill what came in by our server, and all that it started: nobody else has this folder in the environment."""
    deadline = time.monotonic() + 30
    while found := _processes(node):
        assert time.monotonic() < deadline, found
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _processes(node: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"RAY_TMPDIR={node}\0".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # another user's, or it has ended
    return found


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 -- ssh and its like
