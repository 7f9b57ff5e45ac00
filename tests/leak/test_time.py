"""I4: nothing that was measured after the start of treatment becomes a feature."""

import numpy as np
import polars as pl
import pytest
import yaml

from nociomics.cli.run import check
from nociomics.errors import LeakageError, TableError
from nociomics.evaluate.study_metrics import evaluate_study
from nociomics.models.feature_blocks import FeatureBlocks
from nociomics.models.response import fit_response
from nociomics.models.stratification import StratumModel
from nociomics.preparation import prepare
from nociomics.tables.study import Study
from tests.ingest.study_folder import PEOPLE, csv_text, only_fatal, read_in, sound_files, study_of
from tests.leak.out_of_fold_runs import honest
from tests.models.small_study import BLOCKS, QUICK, STRATA, SmallStudy, small_study

WEEK12 = [place % 9 for place in range(len(PEOPLE))]


def canary(values: list[int]) -> list[float]:
    """The outcome itself, wrong in one of ten."""
    return [9.0 - value if place % 10 == 0 else float(value) for place, value in enumerate(values)]


def with_canary(study: SmallStudy, measured_at: str) -> SmallStudy:
    """Give a study the outcome, flipped in one of ten, as a feature of the given time."""
    value = study.rows["outcome"].fill_null(0.0).to_list()
    leaking = pl.Series("leak_canary", [1 - one if place % 10 == 0 else one for place, one in enumerate(value)])
    entry = study.catalogue.filter(pl.col("feature") == "pcs_total").with_columns(
        feature=pl.lit("leak_canary"), group=pl.lit("leak_canary"), measured_at=pl.lit(measured_at)
    )
    return study.changed(features=study.features.with_columns(leaking), catalogue=pl.concat([study.catalogue, entry]))


@pytest.mark.parametrize(
    "learn",
    [
        lambda study: FeatureBlocks(BLOCKS).fit(study.features, study.catalogue),
        lambda study: StratumModel(STRATA, BLOCKS, 1).fit(study.features, study.catalogue),
        lambda study: fit_response(study.training, study.target, BLOCKS, QUICK, 2, 1),
        honest,
    ],
    ids=["blocks", "strata", "final model", "out of fold"],
)
def test_nothing_learns_from_a_late_feature(learn):
    with pytest.raises(LeakageError, match=r'1 features were measured after .* "leak_canary" \(week12\)'):
        learn(with_canary(small_study("binary"), "week12"))


def test_a_canary_that_claims_to_be_baseline_shows_in_the_numbers():
    """What the refusals above prevent: an AUROC far above what these data can give."""
    study = small_study("binary", people=150, arms=(), effect=0.0)
    found = [
        evaluate_study(honest(one), one.rows, one.target, resamples=20).metrics["auroc"]["value"]
        for one in (study, with_canary(study, "baseline"))
    ]
    assert found[0] < 0.65
    assert found[1] > 0.8


def patients_with(column: str) -> str:
    rows = [f"{person},50,s{place % 3},{place % 10},{canary(WEEK12)[place]}" for place, person in enumerate(PEOPLE)]
    return csv_text(f"patient_id,age,site,pain,{column}", rows)


def test_a_patients_column_named_after_a_later_week_is_refused(tmp_path):
    read = read_in(tmp_path, {"patients.csv": patients_with("leak_canary_week12")})
    message = only_fatal(read)
    assert 'patients.csv, column "leak_canary_week12"' in message and "looks measured after treatment" in message
    assert "leak_canary_week12" not in read.covariates.columns


def test_an_analyte_drawn_after_treatment_started_is_refused(tmp_path):
    late = csv_text(
        "patient_id,analyte,value,unit,collected_at",
        [f"{person},IL-6,{canary(WEEK12)[place] + 1},pg/mL,2024-04-03" for place, person in enumerate(PEOPLE)],
    )
    read = read_in(tmp_path, {"biomarkers.csv": late})
    message = only_fatal(read)
    assert 'biomarkers.csv, column "collected_at": 60 rows' in message and "after treatment start" in message
    assert read.biomarkers is None or read.biomarkers.is_empty()


def test_a_column_declared_to_be_of_week_12_never_becomes_a_feature(tmp_path):
    study = study_of(patients={"path": "patients.csv", "measured_at": {"leak_canary": "week12"}})
    read = read_in(tmp_path, {"patients.csv": patients_with("leak_canary")}, study)
    tables = {"patients": read.patients, "covariates": read.covariates, "treatments": read.treatments}
    tables |= {"outcomes": read.outcomes, "flow": read.flow}
    wanted = Study.model_validate(study)
    only = wanted.model_copy(update={"tables": wanted.tables.model_copy(update={"blocks": [], "expression": []})})
    prepared = prepare(tables, only, None)
    assert "leak_canary" not in prepared.features.columns
    assert "leak_canary" not in prepared.catalogue["feature"].to_list()
    assert {"age", "pain"} <= set(prepared.features.columns)
    assert any('"leak_canary": was measured at "week12"' in finding.message for finding in read.findings)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("patients.csv", patients_with("leak_canary_week12"), "leak_canary_week12"),
        ("biomarkers.csv", sound_files()["biomarkers.csv"].replace("2024-01-01", "2024-04-03"), "collected_at"),
    ],
    ids=["column named week12", "sample of a later date"],
)
def test_check_stops_a_study_with_a_canary(name, content, named, tmp_path):
    for file, text in {**sound_files(), name: content}.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study_of()), encoding="utf-8")
    with pytest.raises(TableError, match=named) as refused:
        check(tmp_path / "study.yaml")
    assert "1 problem stops the run" in str(refused.value)
    assert not any(person in str(refused.value) for person in PEOPLE)


def test_a_feature_is_late_unless_it_says_baseline():
    study = small_study("change")
    for word in np.random.default_rng(1).permutation(["week 0", "Baseline", "after", "month6"]):
        with pytest.raises(LeakageError, match="leak_canary"):
            FeatureBlocks().fit(*(getattr(with_canary(study, word), name) for name in ("features", "catalogue")))
