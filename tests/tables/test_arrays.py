"""Arrays that one part of a step leaves to the next: to the last bit, and never an object."""

import numpy as np
import pytest

from nociomics.errors import TableError
from nociomics.tables.arrays import read_arrays, write_arrays


def test_arrays_come_back_bit_by_bit_whatever_their_names(tmp_path):
    numbers = np.array([[0.1 + 0.2, -0.0], [np.nan, np.inf]])
    given = {"3 view sizes feature": numbers, "names": np.array(["é", "", "P 1"]), "gap": np.array(1e-300)}
    write_arrays(given, tmp_path / "sums.npz")
    found = read_arrays(tmp_path / "sums.npz")
    assert {name: (array.dtype, array.tobytes()) for name, array in found.items()} == {
        name: (array.dtype, array.tobytes()) for name, array in given.items()
    }


def test_no_arrays_are_a_file_too(tmp_path):
    write_arrays({}, tmp_path / "sums.npz")
    assert read_arrays(tmp_path / "sums.npz") == {}


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays({"object": np.array([{}], dtype=object)}, tmp_path / "sums.npz")
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "objects.npz", object=np.array([{}], dtype=object))
    with pytest.raises(TableError, match="cannot be read as arrays"):
        read_arrays(tmp_path / "objects.npz")


@pytest.mark.parametrize("content", [None, b"", b"PK", b"no arrays"])
def test_a_missing_or_broken_file_is_named(content, tmp_path):
    if content is not None:
        (tmp_path / "sums.npz").write_bytes(content)
    with pytest.raises(TableError, match=r"sums\.npz: cannot be read as arrays"):
        read_arrays(tmp_path / "sums.npz")
