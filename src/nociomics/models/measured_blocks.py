"""People as blocks of standardised columns, as the challengers of the strata meet them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MeasuredBlocks:
    """What was measured of some people, block by block.

    Attributes
    ----------
    names : tuple of str
        Modality of each block, in alphabetical order.
    blocks : tuple of ndarray of shape (n_people, n_columns of the block)
        Standardised columns divided by the root of their number, so that each block weighs the same; NaN where not
        measured.
    people : int
        Number of people.
    """

    names: tuple[str, ...]
    blocks: tuple[np.ndarray, ...]
    people: int

    @property
    def measured(self) -> np.ndarray:
        """Whether anything of a block was measured: shape (n_people, n_blocks)."""
        columns = [~np.isnan(block).all(axis=1) for block in self.blocks]
        return np.column_stack(columns) if columns else np.zeros((self.people, 0), dtype=bool)

    def take(self, rows: np.ndarray) -> MeasuredBlocks:
        """Return some of the people, by position."""
        return MeasuredBlocks(self.names, tuple(block[rows] for block in self.blocks), len(rows))

    def side_by_side(self) -> np.ndarray:
        """All columns together, a value that was not measured at its column's average: shape (n_people, n_columns)."""
        return np.nan_to_num(np.hstack(self.blocks)) if self.blocks else np.zeros((self.people, 0))


def measured_blocks(standard: np.ndarray, modalities: list[str]) -> MeasuredBlocks:
    """Divide standardised columns into blocks of equal weight; columns that do not vary are left out.

    Parameters
    ----------
    standard : ndarray of shape (n_people, n_columns)
        Standardised; NaN where not measured.
    modalities : list of str, one per column
        What makes a block.

    Examples
    --------
    >>> blocks = measured_blocks(np.array([[1.0, 2.0, 7.0], [-1.0, np.nan, 7.0]]), ["a", "b", "b"])
    >>> blocks.names, [block.shape for block in blocks.blocks]
    (('a',), [(2, 1)])
    """
    varies = _varies(standard)
    names = sorted({modality for modality, kept in zip(modalities, varies, strict=True) if kept})
    of_column = np.array(modalities, dtype=object)
    blocks = [standard[:, varies & (of_column == name)] for name in names]
    return MeasuredBlocks(tuple(names), tuple(block / np.sqrt(block.shape[1]) for block in blocks), len(standard))


def squared_distances(block: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of people over the columns that both have, raised to all columns of the block.

    Parameters
    ----------
    block : ndarray of shape (n_people, n_columns)
        NaN where not measured.

    Returns
    -------
    ndarray of shape (n_people, n_people)
        Symmetric, 0 on the diagonal; NaN where two people share no column.
    """
    known = (~np.isnan(block)).astype(float)
    filled = np.nan_to_num(block)
    shared = known @ known.T
    crossed = (filled**2) @ known.T
    squares = np.maximum(crossed + crossed.T - 2 * filled @ filled.T, 0.0)
    with np.errstate(invalid="ignore"):
        squares = np.where(shared > 0, squares * (block.shape[1] / np.maximum(shared, 1)), np.nan)
    np.fill_diagonal(squares, 0.0)
    return np.asarray((squares + squares.T) / 2)


def _varies(standard: np.ndarray) -> np.ndarray:
    known = ~np.isnan(standard)
    low = np.where(known, standard, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, standard, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray(high - low > 1e-12)
