"""A Ray cluster of several nodes on this machine, each with room for one actor, whose nodes can be
killed like machines that lose power."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# A head asks for a token that nobody else here would have.
os.environ["RAY_AUTH_MODE"] = "disabled"
# Figures beside other work mean little if workers come last.
os.environ["RAY_worker_niceness"] = "0"

import ray

#: Bytes of each node for results on their way.
STORE_BYTES = 300_000_000
#: Where Ray writes the address of the head that was started last.
CURRENT = Path(tempfile.gettempdir()) / "ray" / "ray_current_cluster"
#: Seconds until a node has joined or left.
PATIENCE = 120


class Nodes:
    """The nodes, of which the first is the head. Leaving the context ends what it started."""

    def __init__(self, count: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        # Ray takes the loopback's address for this one.
        self.address = f"{ray.util.get_node_ip_address()}:{self._port}"
        self._count = count
        self._nodes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Nodes:
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_all(self) -> None:
        head = ["--head", f"--port={self._port}", "--include-dashboard=false"]
        self._start([*head, "--disable-usage-stats"])
        wait_for(lambda: is_open(self.address), "the head")
        ray.init(address=self.address, logging_level="ERROR", log_to_driver=False)
        try:
            # One after the other: those that start together take each other's ports.
            for nodes in range(2, self._count + 1):
                self._start([f"--address={self.address}"])
                wait_for(lambda: alive() == nodes, f"{nodes} nodes")
        finally:
            ray.shutdown()

    def __exit__(self, *_: object) -> None:
        for node in reversed(self._nodes):
            node.terminate()
        for node in self._nodes:
            try:
                node.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                kill(node.pid)
        # Else the next `ray.init()` of this machine looks for the head that is gone.
        if CURRENT.exists() and CURRENT.read_text().strip() == self.address:
            CURRENT.unlink()

    def kill_last(self) -> None:
        """Kills every process of the last node at once."""
        kill(self._nodes.pop().pid)

    def _start(self, arguments: list[str]) -> None:
        ray = Path(sys.executable).with_name("ray")
        # One actor for each node, and a processor for reading and writing.
        usual = ["--num-cpus=2", '--resources={"embed": 1}']
        usual.append(f"--object-store-memory={STORE_BYTES}")
        command = [str(ray), "start", "--block", *arguments, *usual]
        log = subprocess.DEVNULL
        self._nodes.append(subprocess.Popen(command, stdout=log, stderr=log))


def alive() -> int:
    return sum(node["Alive"] for node in ray.nodes())


def is_open(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def wait_for(is_so: object, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.2)


def kill(pid: int) -> None:
    """Kills a process and all that it started, whoever is their parent by now."""
    everyone = [pid, *descendants(pid)]
    for process in everyone:
        try:
            os.kill(process, signal.SIGSTOP)
        except ProcessLookupError:
            pass
    for process in {*everyone, *descendants(pid)}:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found
