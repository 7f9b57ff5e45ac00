"""The deterministic 200 rows on which R's answers were computed; no random numbers, any language can make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

FloatArray = NDArray[np.float64]


def fraction(x: FloatArray) -> FloatArray:
    return x - np.floor(x)


@dataclass(frozen=True)
class Rows:
    y: FloatArray
    z: FloatArray
    w: FloatArray
    x3: FloatArray
    p1: FloatArray
    p2: FloatArray


def rows() -> Rows:
    i = np.arange(1.0, 201.0)
    u1 = fraction(np.sin(12.9898 * i) * 43758.5453)
    u2 = fraction(np.sin(78.233 * i) * 12345.678)
    u3 = fraction(np.sin(39.425 * i) * 24634.633)
    z, w = norm.ppf(u1), norm.ppf(u3)
    x3 = norm.ppf(fraction(np.sin(4.123 * i) * 9999.77))
    y = (u2 < expit(0.2 + 0.8 * z)).astype(np.float64)
    return Rows(y, z, w, x3, expit(-0.3 + 1.5 * z), expit(0.1 + 0.5 * z + 0.7 * w))
