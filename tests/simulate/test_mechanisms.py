from __future__ import annotations

import subprocess
import sys

import pytest

from nociomics.errors import StudyError
from nociomics.simulate.mechanisms import MECHANISMS, Settings


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(StudyError) as caught:
        Settings(0, -1, -2, "endotype", "random", float("nan"))
    text = str(caught.value)
    for part in ("patients = 0", "seed = -1", "world = -2", '"endotype"', "endotypes", '"random"', "effect_size = nan"):
        assert part in text


def test_each_mechanism_has_one_line_of_meaning() -> None:
    assert set(MECHANISMS) == {
        "endotypes",
        "continuum",
        "two_types",
        "six_types",
        "no_heterogeneity",
        "half_effects",
        "product",
        "noise",
    }
    assert all(meaning and "\n" not in meaning for meaning in MECHANISMS.values())


def test_a_help_page_can_list_them_without_heavy_imports() -> None:
    code = "import sys, nociomics.simulate.mechanisms; sys.exit(bool({'numpy', 'polars', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
