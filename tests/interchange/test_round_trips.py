"""What is written for other tools comes back the same, and other tools read it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nociomics.errors import TableError
from nociomics.harmonise.feature import CATALOGUE_SCHEMA
from nociomics.interchange.anndata_files import read_h5ad, write_h5ad
from nociomics.interchange.cohort import HarmonisedCohort, read_cohort, write_cohort
from nociomics.interchange.mudata_files import read_h5mu, write_h5mu
from nociomics.interchange.tidy_tables import read_tidy, write_tidy
from tests.conftest import examples

WAYS: dict[str, tuple[Callable[[HarmonisedCohort, Path], None], Callable[[Path], HarmonisedCohort]]] = {
    "cohort.h5ad": (write_h5ad, read_h5ad),
    "cohort.h5mu": (write_h5mu, read_h5mu),
    "tidy": (write_tidy, read_tidy),
}
_PEER = Path(os.environ.get("NOCIOMICS_PEERS", Path(__file__).resolve().parents[2] / ".uv/peers")) / "bin/python"
_TARGET = {
    "patient_id": pl.String,
    "treatment": pl.String,
    "assignment": pl.String,
    "baseline": pl.Float64,
    "outcome": pl.Float64,
    "label": pl.String,
    "response_value": pl.Float64,
    "responded": pl.Float64,
    "adverse_event": pl.Float64,
    "group": pl.String,
}


def entry(feature: str, modality: str, kind: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(CATALOGUE_SCHEMA)
    low_high = {"low": 0.0, "high": 1.0} if kind == "binary" else {}
    return row | {
        "feature": feature,
        "modality": modality,
        "group": feature,
        "unit": "pg/mL, measured",
        "measured_at": "baseline",
        "description": 'a "quoted" description',
        "missing_share": 0.0,
        "kind": kind,
        **low_high,
    }


def cohort(people: list[str], columns: dict[str, tuple[str, str, list[float | str | None]]]) -> HarmonisedCohort:
    """A cohort from feature -> (modality, kind, values)."""
    data: dict[str, pl.Series] = {"patient_id": pl.Series(people, dtype=pl.String)}
    for name, (_, kind, values) in columns.items():
        data[name] = pl.Series(values, dtype=pl.String if kind == "category" else pl.Float64)
    catalogue = pl.DataFrame([entry(n, m, k) for n, (m, k, _) in columns.items()], schema=CATALOGUE_SCHEMA)
    target = pl.DataFrame({"patient_id": people}, schema={"patient_id": pl.String}).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in _TARGET.items() if name != "patient_id"
    )
    arms = pl.Series([None if i % 3 == 0 else f"arm {i % 2}" for i in range(len(people))], dtype=pl.String)
    rows = pl.Series([None if i % 4 == 0 else i / 3 for i in range(len(people))], dtype=pl.Float64)
    return HarmonisedCohort(pl.DataFrame(data), catalogue, target.with_columns(treatment=arms, baseline=rows))


SMALL = cohort(
    ["é1", "02", "P 3", "NA"],
    {
        "age": ("clinical", "numeric", [40.0, None, 61.5, 0.1 + 0.2]),
        "site": ("clinical", "category", ["north", None, "", "NA"]),
        "il6_pg_per_ml": ("biomarkers", "numeric", [None, 1e-9, None, 1e9]),
        "il6_below_lod": ("biomarkers", "binary", [None, 1.0, None, 0.0]),
        "bmi": ("clinical", "numeric", [22.0, 23.0, 24.0, 25.0]),
        "nobody": ("proteins", "numeric", [None, None, None, None]),
    },
)


def assert_same(one: HarmonisedCohort, other: HarmonisedCohort) -> None:
    for name in ("features", "catalogue", "target"):
        assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", WAYS)
def test_a_cohort_comes_back_the_same(name: str, tmp_path: Path) -> None:
    write, read = WAYS[name]
    write(SMALL, tmp_path / name)
    assert_same(read(tmp_path / name), SMALL)


@st.composite
def cohorts(draw: st.DrawFn) -> HarmonisedCohort:
    people = draw(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["numeric", "category"]))
        cell = st.none() | (words if kind == "category" else st.floats(allow_nan=False, allow_infinity=False))
        values = draw(st.lists(cell, min_size=len(people), max_size=len(people)))
        columns[f"f{number}"] = (draw(st.sampled_from(["clinical", "genotype"])), kind, values)
    return cohort(people, columns)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=cohorts(), name=st.sampled_from(sorted(WAYS)))
def test_any_cohort_comes_back_the_same(found: HarmonisedCohort, name: str, tmp_path: Path) -> None:
    write, read = WAYS[name]
    write(found, tmp_path / name)
    assert_same(read(tmp_path / name), found)


def test_the_results_of_a_run_are_read_and_written(tmp_path: Path) -> None:
    write_cohort(SMALL, tmp_path / "results/harmonised")
    assert_same(read_cohort(tmp_path / "results"), SMALL)


def test_a_folder_without_a_cohort_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no harmonised cohort"):
        read_cohort(tmp_path)


@pytest.mark.parametrize("name", ["cohort.h5ad", "cohort.h5mu"])
def test_a_file_of_another_make_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("no HDF5")
    with pytest.raises(TableError, match="no HDF5 file"):
        WAYS[name][1](tmp_path / name)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / name, "w") as file:
        file.create_group("uns")
    with pytest.raises(TableError, match="was not written by this program"):
        WAYS[name][1](tmp_path / name)


_READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
import anndata, mudata
one, many = anndata.read_h5ad(sys.argv[1]), mudata.read_h5mu(sys.argv[2])
print(json.dumps({
    "obs": list(one.obs_names), "var": list(one.var_names), "age": one[:, "age"].X.ravel().tolist()[0],
    "site": [None if value != value else value for value in one.obs["site"].astype(object)],
    "unit": one.var.loc["age", "unit"],
    "shapes": {name: part.shape for name, part in many.mod.items()},
    "people": list(many.mod["biomarkers"].obs_names), "features": list(many.var_names),
    "arm": [None if value != value else value for value in many.obs["target_treatment"].astype(object)],
}))
"""


def test_anndata_and_mudata_read_what_we_write(tmp_path: Path) -> None:
    """The real packages, in an environment of their own since they need an older pandas."""
    if not _PEER.exists():
        pytest.skip("no environment with mudata is here: .ci/run makes one in .uv/peers (or set NOCIOMICS_PEERS)")
    write_h5ad(SMALL, tmp_path / "c.h5ad")
    write_h5mu(SMALL, tmp_path / "c.h5mu")
    command = [str(_PEER), "-c", _READ, str(tmp_path / "c.h5ad"), str(tmp_path / "c.h5mu")]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen == {
        "obs": ["é1", "02", "P 3", "NA"],
        "var": ["age", "il6_pg_per_ml", "il6_below_lod", "bmi", "nobody"],
        "age": 40.0,
        "site": ["north", None, "", "NA"],
        "unit": "pg/mL, measured",
        "shapes": {"clinical": [4, 2], "biomarkers": [2, 2], "proteins": [0, 1]},
        "people": ["02", "NA"],
        "features": ["age", "bmi", "il6_pg_per_ml", "il6_below_lod", "nobody"],
        "arm": [None, "arm 1", "arm 0", None],
    }
