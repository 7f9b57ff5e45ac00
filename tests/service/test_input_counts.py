"""Counts of inputs: many people at once, never one; and what they say of drift."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from nociomics.cli.app import app
from nociomics.errors import TableError
from nociomics.service.drift import FEWEST_PEOPLE, LOOK, NONE_SEEN, SHIFTED, TOO_FEW, compare
from nociomics.service.input_counts import FEWEST_NEW_PEOPLE, InputCounts, read_counts, training_points


@pytest.fixture
def counts(exported):
    return InputCounts.of_bundle(exported)


def people(study, number, seed=1, **shifts):
    """People drawn again from the training people, some of their values moved."""
    rows = np.random.default_rng(seed).integers(0, study.features.height, number)
    drawn = study.features[rows].with_columns(patient_id=pl.int_range(number).cast(pl.String))
    return drawn.with_columns(pl.col(name) + shift for name, shift in shifts.items())


def verdicts(exported, counts, digest="d"):
    found = compare(training_points(exported), counts.to_dict(digest))
    return {one["feature"]: one for one in found["inputs"]}


def test_every_person_is_in_one_cell_or_missing(counts, study):
    counts.add(people(study, 700), ["ok"] * 700)
    stored = counts.to_dict("d")
    for entry in stored["numeric"].values():
        assert sum(entry["cells"]) + entry["missing"] == 700
    for entry in stored["categories"].values():
        assert sum(entry["known"].values()) + entry["other"] + entry["missing"] == 700


def test_counting_in_parts_is_counting_at_once(exported, study):
    whole, parts = InputCounts.of_bundle(exported), InputCounts.of_bundle(exported)
    everybody = people(study, 40)
    whole.add(everybody, ["ok"] * 40)
    for person in everybody.iter_slices(1):
        parts.add(person, ["ok"])
    assert whole.to_dict("d") == parts.to_dict("d")


def test_no_value_and_no_id_is_written(counts, study, tmp_path):
    counts.add(people(study, 30), ["ok"] * 29 + ["rejected: age is not within 0 to 120 years"])
    assert counts.write(tmp_path / "counts.json", "d")
    text = (tmp_path / "counts.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    assert stored["statuses"] == {"ok": 29, "rejected": 1} and "patient_id" not in text
    assert all(isinstance(cell, int) for entry in stored["numeric"].values() for cell in entry["cells"])


def test_counts_of_few_people_are_not_written(counts, study, tmp_path):
    path = tmp_path / "counts.json"
    counts.add(people(study, FEWEST_NEW_PEOPLE - 1), ["ok"] * (FEWEST_NEW_PEOPLE - 1))
    assert not counts.write(path, "d") and not path.exists()
    counts.add(people(study, 1), ["ok"])
    assert counts.write(path, "d")
    counts.add(people(study, 1), ["ok"])
    assert not counts.write(path, "d") and read_counts(path)["people"] == FEWEST_NEW_PEOPLE


def test_another_process_goes_on_from_the_file(counts, exported, study, tmp_path):
    path = tmp_path / "counts.json"
    counts.add(people(study, 20), ["ok"] * 20)
    counts.write(path, "d")
    again = InputCounts.of_bundle(exported)
    assert again.take_up(path, "d") and again.to_dict("d") == counts.to_dict("d")
    assert not again.may_be_shown
    assert not InputCounts.of_bundle(exported).take_up(path, "another model")


def test_people_like_those_of_training_have_not_drifted(counts, exported, study):
    counts.add(people(study, 400), ["ok"] * 400)
    found = verdicts(exported, counts)
    assert {one["verdict"] for one in found.values()} <= {NONE_SEEN, "cannot tell"}
    assert {one["missing_verdict"] for one in found.values()} == {NONE_SEEN}


def test_a_shift_is_seen_and_named_first(counts, exported, study):
    counts.add(people(study, 400, age=15.0), ["ok"] * 400)
    found = compare(training_points(exported), counts.to_dict("d"))
    assert (found["inputs"][0]["feature"], found["inputs"][0]["verdict"]) == ("age", SHIFTED)
    assert found["inputs"][0]["psi"] > 0.25 and found["verdicts"][SHIFTED] == 1


def test_the_same_shift_of_few_people_is_not_judged(counts, exported, study):
    counts.add(people(study, FEWEST_PEOPLE - 1, age=15.0), ["ok"] * (FEWEST_PEOPLE - 1))
    assert {one["verdict"] for one in verdicts(exported, counts).values()} == {TOO_FEW}


def test_a_yes_or_no_input_that_nobody_moved_has_not_drifted(counts, exported, study):
    """Quantiles of 0 and 1 tie: at-or-below and below have to be told apart."""
    counts.add(people(study, 2000), ["ok"] * 2000)
    found = verdicts(exported, counts)["il6_below_lod"]
    assert found["verdict"] == NONE_SEEN and found["psi"] is None
    counts.add(people(study, 2000).with_columns(il6_below_lod=pl.lit(1.0)), ["ok"] * 2000)
    assert verdicts(exported, counts)["il6_below_lod"]["verdict"] == SHIFTED


def test_values_that_go_missing_are_seen(counts, exported, study):
    counts.add(people(study, 200).drop("crp_mg_per_l"), ["ok"] * 200)
    assert verdicts(exported, counts)["crp_mg_per_l"]["missing_verdict"] == SHIFTED


def test_categories_that_training_did_not_have_are_seen(counts, exported, study):
    counts.add(people(study, 100).with_columns(pain_type=pl.lit("visceral")), ["ok"] * 100)
    found = verdicts(exported, counts)["pain_type"]
    assert (found["verdict"], found["unseen"]) == (SHIFTED, 1.0)


def test_a_category_that_became_common_is_seen(counts, exported, study):
    counts.add(people(study, 400).with_columns(pain_type=pl.lit(study.features["pain_type"].mode()[0])), ["ok"] * 400)
    found = verdicts(exported, counts)["pain_type"]
    expected = 1 - (study.features["pain_type"] == study.features["pain_type"].mode()[0]).mean()
    assert (found["verdict"], found["unseen"]) == (SHIFTED, 0.0)
    assert found["distance"] == pytest.approx(expected) and found["psi"] > 0.25


def test_its_p_is_fishers_where_training_is_small():
    """The table 3 of 10 against 12 of 20, by scipy's own test of tables."""
    from scipy.stats import fisher_exact

    from nociomics.service.drift import _few, _many

    one, other = np.array([3]), np.array([12])
    assert _few(one, 10, other, 20)[0] == pytest.approx(fisher_exact([[3, 7], [12, 8]], "less").pvalue)
    assert _many(one, 10, other, 20)[0] == pytest.approx(fisher_exact([[3, 7], [12, 8]], "greater").pvalue)


def test_the_bundle_keeps_quantiles_and_shares_of_training(exported, study):
    points = training_points(exported)
    assert points.people == study.features.height
    known = study.features["age"].drop_nulls().to_numpy()
    assert points.edges["age"] == pytest.approx(sorted(set(np.quantile(known, np.arange(1, 20) / 20))))
    assert sum(points.category_shares["pain_type"].values()) == pytest.approx(1.0)


def test_no_drift_is_seldom_called_drift(exported, study):
    """False alarms over many draws of people like those of training."""
    alarms = 0
    for seed in range(20):
        counts = InputCounts.of_bundle(exported)
        counts.add(people(study, 150, seed), ["ok"] * 150)
        alarms += any(one["verdict"] in (SHIFTED, LOOK) for one in verdicts(exported, counts).values())
    assert alarms <= 1


def test_the_command_writes_and_tells(exported, study, tmp_path):
    from nociomics.service.champion import load_champion

    champion = load_champion(exported)
    champion.counts.add(people(study, 400, age=15.0), ["ok"] * 400)
    path, out = tmp_path / "counts.json", tmp_path / "drift.json"
    champion.counts.write(path, champion.digest)
    done = CliRunner().invoke(app, ["drift", str(exported), str(path), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "400 people; inputs shifted: 1" in done.output and "age" in done.output.splitlines()[3]
    assert json.loads(out.read_text(encoding="utf-8"))["inputs"][0]["verdict"] == SHIFTED


def test_counts_of_another_model_or_no_counts_are_refused(exported, counts, study, tmp_path):
    path = tmp_path / "counts.json"
    counts.add(people(study, 20), ["ok"] * 20)
    counts.write(path, "another")
    done = CliRunner().invoke(app, ["drift", str(exported), str(path)])
    assert "another model" in str(done.exception)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match="holds no counts"):
        read_counts(path)
