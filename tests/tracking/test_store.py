"""A SQLite store is refused where two machines could write to it, whatever the file system is called."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from nociomics.errors import NociomicsError
from nociomics.tracking import store
from nociomics.tracking.store import initialise_store, network_file_system

_KINDS = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "fuse.glusterfs", "wekafs")


@pytest.mark.parametrize("kind", _KINDS)
def test_a_sqlite_store_on_a_network_file_system_is_refused_and_nothing_is_made(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nhead:/home {tmp_path} {kind} rw,relatime 0 0\n"
    monkeypatch.setattr(store, "network_file_system", partial(network_file_system, mounts=mounts))
    with pytest.raises(NociomicsError, match=rf"lies on a network file system \({kind}\)") as caught:
        initialise_store(f"sqlite:///{tmp_path}/results/mlflow.db")
    assert "sqlite:////local/mlflow.db" in str(caught.value) and "http://" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_local_disk_below_a_network_file_system_is_taken(tmp_path: Path) -> None:
    mounts = f"head:/ / nfs4 rw 0 0\n/dev/nvme0n1 {tmp_path} xfs rw 0 0\n"
    assert network_file_system(tmp_path / "mlflow.db", mounts) is None
