"""A Slurm of several nodes on this machine: each node a daemon in mounts and process numbers of its own.

Debian's Slurm allows several node daemons on one host, so no network namespaces are needed. What ends a node's first
process ends all of them, as a power cut would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_CONF = """ClusterName=nodes
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MailProg=/bin/true
MpiDefault=none
# no cgroups: works inside containers
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
SlurmdParameters=config_overrides
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,batch_sched_delay=0,bf_interval=5
MinJobAge=3600
# seconds without a word after which a node counts as dead
SlurmdTimeout=10
StateSaveLocation={folder}/control
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/control.pid
SlurmdPidFile={folder}/%n.pid
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=1000 State=UP
"""
_NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000 State=UNKNOWN"
_IN_OWN_MOUNTS = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec")


@dataclass
class Cluster:
    """Nodes that answer, and the variable by which Slurm's commands find them."""

    variables: dict[str, str]
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def asked(self, *words: str) -> str:
        """What one of Slurm's commands prints here."""
        return subprocess.run(
            words, env={**os.environ, **self.variables}, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def cut_power(self, name: str) -> None:
        """End a node with everything that runs there."""
        self.nodes[name].send_signal(signal.SIGKILL)
        self.nodes[name].wait(60)


@contextmanager
def cluster(folder: Path, names: tuple[str, ...], hidden: Path | None = None) -> Iterator[Cluster]:
    """Start a Slurm whose nodes do not see what lies below one folder; munge has to answer already."""
    host = socket.gethostname().split(".")[0]
    free = iter(_free_ports(len(names) + 1))
    conf = folder / "etc" / "slurm.conf"
    for part in (conf.parent, folder / "control", *(folder / name for name in names)):
        part.mkdir(parents=True)
    port = next(free)
    nodes = "\n".join(_NODE.format(name=name, host=host, port=next(free)) for name in names)
    conf.write_text(_CONF.format(host=host, folder=folder, port=port, nodes=nodes), encoding="utf-8")
    made = Cluster({"SLURM_CONF": str(conf)})
    # Snakemake's plugin drops SLURM_CONF within jobs: there the usual place has to hold the same
    words = [f"mount --bind {conf.parent} /etc/slurm"]
    words += [f"mount -t tmpfs tmpfs {hidden}"] if hidden else []
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_daemon(folder / "control.log", made, "slurmctld", "-D"))
        for name in names:
            daemon = " && ".join([*words, f"exec slurmd -D -N {name}"])
            made.nodes[name] = _daemon(folder / f"{name}.log", made, *_IN_OWN_MOUNTS, daemon)
        started += made.nodes.values()
        _wait_for_all(made, folder)
        yield made
    finally:
        with suppress(subprocess.SubprocessError):
            made.asked("scancel", "--user", "root")
        for process in reversed(started):
            process.kill()
            process.wait(60)


def _daemon(log: Path, made: Cluster, *words: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            words, env={**os.environ, **made.variables}, stdout=file, stderr=file, start_new_session=True
        )


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses; asked for all at once, so that none comes twice."""
    doors = [socket.socket() for _ in range(count)]
    try:
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [door.getsockname()[1] for door in doors]
    finally:
        for door in doors:
            door.close()


def _wait_for_all(made: Cluster, folder: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        with suppress(subprocess.CalledProcessError):
            if set(made.asked("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"}:
                return
        told = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log")))
        assert time.monotonic() < deadline, f"the nodes did not come up:\n{told}"
        time.sleep(0.2)
