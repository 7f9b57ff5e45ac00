"""Mean and spread of columns of which not everything was measured."""

from __future__ import annotations

import numpy as np


def centre_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's mean and standard deviation over what was measured.

    Parameters
    ----------
    values : ndarray of shape (n_people, n_columns)
        NaN where not measured.

    Returns
    -------
    centre, scale : ndarray of shape (n_columns,)
        A column that was never measured has centre 0; one that does not vary has scale 1.

    Examples
    --------
    >>> centre, scale = centre_scale(np.array([[1.0, 5.0], [3.0, np.nan]]))
    >>> centre.tolist(), scale.tolist()
    ([2.0, 5.0], [1.0, 1.0])
    """
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, values, 0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, values - centre, 0) ** 2).sum(axis=0) / count)
    return centre, np.where(deviation > 1e-12, deviation, 1.0)
