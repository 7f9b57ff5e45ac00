"""Named arrays in one file, for what one part of a step leaves to the one that puts the parts together."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nociomics.errors import TableError
from nociomics.tables.files import written_whole

if TYPE_CHECKING:
    import numpy as np


def write_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays of numbers or text to the last bit, whole or not at all."""
    import numpy as np

    with written_whole(path) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote; objects are refused, since they could run code.

    Raises
    ------
    TableError
        When the file is missing or broken.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TableError(f"{path}: cannot be read as arrays ({type(error).__name__}).") from error
