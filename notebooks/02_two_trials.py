# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One trial, one register: what may be said of each?
#
# Two invented cohorts of one world. In the first, the treatment was drawn by lot. In the second, clinicians chose it:
# people with much inflammation more often got an anti-inflammatory drug, people in distress more often a talking
# therapy. The same commands ran on both:
#
# ```
# nociomics simulate randomised --patients 600 --seed 1
# nociomics simulate observational --patients 600 --seed 1 --assignment observational
# nociomics run randomised/study.yaml
# nociomics run observational/study.yaml
# ```
#
# Run it from the folder where these ran, as a script or as a notebook (jupytext). `NOCIOMICS_RANDOMISED` and
# `NOCIOMICS_OBSERVATIONAL` point it to other results, `..._TRUTH` to what only the generator knows of them.

# %%
import json
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import polars as pl

STUDIES = ("randomised", "observational")
RESULTS = {name: Path(os.environ.get(f"NOCIOMICS_{name.upper()}", f"results/{name}")) for name in STUDIES}
TRUTH = {name: Path(os.environ.get(f"NOCIOMICS_{name.upper()}_TRUTH", f"{name}/truth")) for name in STUDIES}


def table(study: str, name: str) -> pl.DataFrame | None:
    path = RESULTS[study] / f"{name}.parquet"
    return pl.read_parquet(path) if path.is_file() else None


def evaluation(study: str, name: str) -> dict[str, Any]:
    return json.loads((RESULTS[study] / "evaluation" / f"{name}.json").read_text(encoding="utf-8"))


def truth_of(study: str) -> pl.DataFrame | None:
    path = TRUTH[study] / "people.parquet"
    return pl.read_parquet(path) if path.is_file() else None


metrics = {study: evaluation(study, "metrics") for study in STUDIES}
gates = {study: evaluation(study, "gate") for study in STUDIES}
curves = {study: evaluation(study, "curves") for study in STUDIES}


def shown(study: str, name: str) -> str:
    found = metrics[study].get(name)
    if found is None or found["value"] is None:
        return "not measured" + (f" ({found['method']})" if found else "")
    if found["lower"] is None or found["upper"] is None:
        return f"{found['value']:.2f}"
    return f"{found['value']:.2f} ({found['lower']:.2f} to {found['upper']:.2f})"


# %% [markdown]
# ## Who got what, and who decided?

# %%
for study in STUDIES:
    rows = table(study, "harmonised/target")
    assert rows is not None, "a run writes this table first"
    print(f"{study}:", rows["assignment"].value_counts().rows())
    print(
        rows.group_by("treatment")
        .agg(people=pl.len(), with_outcome=pl.col("outcome").count(), mean_before=pl.col("baseline").mean().round(2))
        .sort("treatment")
    )

# %% [markdown]
# ## Were the groups alike before treatment?
#
# By lot they are alike but for chance, and there is nothing to estimate. Where clinicians chose, the chance of each
# treatment is estimated from what was known before it, always by people of other folds. Somebody who could hardly have
# got a treatment (a chance below 0.05) has nobody to be compared with: no comparison counts them.

# %%
propensities = {study: table(study, "response/propensities") for study in STUDIES}
for study, chances in propensities.items():
    if chances is None or chances.is_empty():
        print(f"{study}: no propensities, since the lot decided")
        continue
    per_person = chances.group_by("patient_id", "treatment").agg(pl.col("propensity").mean())
    print(f"{study}: chance of each treatment, over everybody")
    print(
        per_person.group_by("treatment")
        .agg(
            least=pl.col("propensity").min().round(3),
            fifth=pl.col("propensity").quantile(0.05).round(3),
            median=pl.col("propensity").median().round(3),
            below_limit=(pl.col("propensity") < 0.05).sum(),
        )
        .sort("treatment")
    )

# %%
overlap = curves["observational"].get("overlap")
if overlap:
    balance = overlap["balance"]
    print(f"outside overlap: {overlap['outside']} of {overlap['people']} people")
    print(f"traits that differ by more than 0.1 SD: {balance['above_before']} before weighting,", end=" ")
    print(f"{balance['above_after']} after it, of {balance['covariates']}")
    worst = pl.DataFrame(balance["rows"]).sort("before").tail(12)
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.scatter(worst["before"], worst["covariate"], marker="o", facecolors="none", edgecolors="black", label="before")
    axes.scatter(worst["after"], worst["covariate"], marker="o", color="black", label="after weighting")
    axes.axvline(0.1, linestyle="dashed", color="grey")
    axes.set_xlabel("largest difference between two treatments, in SD")
    axes.set_title("The register: are the groups made alike?")
    axes.legend()
    figure.tight_layout()
else:
    print("overlap: this run has no report on it")

# %% [markdown]
# ### Were the chances estimated rightly?
#
# Only an invented cohort can answer.

# %%
known = truth_of("observational")
chances = propensities["observational"]
if known is not None and chances is not None and not chances.is_empty():
    true_chances = known.select("patient_id", pl.col("^propensity_.*$").name.replace("^propensity_", "")).unpivot(
        index="patient_id", variable_name="treatment", value_name="true"
    )
    both = chances.group_by("patient_id", "treatment").agg(pl.col("propensity").mean())
    both = both.join(true_chances, on=["patient_id", "treatment"])
    print(f"correlation with the true chances: {both.select(pl.corr('propensity', 'true')).item():.2f}")
else:
    print("the true chances are not here")

# %% [markdown]
# ## What did each treatment do for the whole group?
#
# *As seen* is the mean fall of pain in those who got it. *Estimated* is what everybody would have had under it, from
# doubly robust scores. *True* is what the generator knows of those people. In a trial the three agree but for chance;
# in a register *as seen* mixes the treatment with the kind of people who got it. What weighting makes of it is an
# **adjusted association**: it holds as far as the measured traits explain who got what, and no further.

# %%
means = {}
for study in STUDIES:
    rows = table(study, "harmonised/target")
    assert rows is not None
    seen = rows.drop_nulls("response_value").group_by("treatment").agg(as_seen=pl.col("response_value").mean().round(2))
    fixed = [row for row in curves[study].get("policies", []) if row["policy"] == "fixed"]
    if fixed:
        estimated = pl.DataFrame(fixed).select(
            "treatment", *(pl.col(name).round(2) for name in ("value", "lower", "upper"))
        )
        seen = seen.join(estimated.rename({"value": "estimated"}), on="treatment", how="left")
    people = truth_of(study)
    if people is not None:
        falls = people.select(pl.col("^fall_.*$").name.replace("^fall_", "")).mean()
        true = falls.unpivot(variable_name="treatment", value_name="true").with_columns(pl.col("true").round(2))
        seen = seen.join(true, on="treatment", how="left")
    means[study] = seen.sort("treatment")
    print(study)
    print(means[study])

# %% [markdown]
# The trial can say how far two treatments differ, given the baseline; the register cannot, and the run leaves those
# lines out rather than calling them by the same name.

# %%
differences = {study: [name for name in metrics[study] if name.startswith("adjusted_difference_")] for study in STUDIES}
for study, names in differences.items():
    print(f"{study}: {len(names)} differences between randomised treatments")
    for name in names:
        print(f"  {name.removeprefix('adjusted_difference_').replace('_', ' ')}: {shown(study, name)}")

# %% [markdown]
# How strong would a hidden trait have to be to explain a difference away? The E-value says it for the register: a trait
# that goes with both treatment and outcome at that risk ratio could; a weaker one could not.

# %%
for row in (overlap or {}).get("sensitivity", []):
    value = "not measured" if row["e_value"] is None else f"{row['e_value']:.1f}"
    print(f"{row['comparison'].replace('_', ' ')}: E-value {value}")

# %% [markdown]
# ## May a treatment be chosen for one person?
#
# Only if a test that was set beforehand finds that people differ in which treatment helps, and choosing gains
# something on people whom the models had not seen. Otherwise one treatment is best for all, and nothing is said of one
# person: neither a choice nor what drives it.

# %%
for study in STUDIES:
    gate = gates[study]
    print(f"{study}: gate open: {gate['individual_recommendations']} | best for all: {gate['best_fixed']}")
    for reason in gate["reasons"]:
        print("  -", reason)

# %% [markdown]
# ## What would choosing be worth, and was that estimate true?
#
# *Estimated* is from the run: the mean outcome if the models chose, and the gain over the best single treatment. *True*
# applies the same choices to what the generator knows. The last line is a bound that nobody can reach.


# %%
def true_values(study: str) -> dict[str, float] | None:
    people, expected = truth_of(study), table(study, "response/out_of_fold")
    if people is None or expected is None:
        return None
    falls = people.select("patient_id", pl.col("^fall_.*$").name.replace("^fall_", ""))
    long = falls.unpivot(index="patient_id", variable_name="treatment", value_name="true_fall")
    mean = expected.group_by("patient_id", "treatment").agg(pl.col("expected").mean())
    joined = mean.join(long, on=["patient_id", "treatment"])

    def chosen(column: str) -> float:
        best = joined.filter(pl.col(column) == pl.col(column).max().over("patient_id"))
        return float(best["true_fall"].mean())  # type: ignore[arg-type]

    for_all = joined.filter(pl.col("treatment") == gates[study]["best_fixed"])["true_fall"].mean()
    return {
        "chosen by the models": chosen("expected"),
        "best for all, as the run has it": float(for_all) if for_all is not None else float("nan"),
        "best for each person": chosen("true_fall"),
    }


for study in STUDIES:
    print(study)
    print(f"  estimated value of choosing: {shown(study, 'policy_value')}")
    print(f"  estimated gain over the best for all: {shown(study, 'policy_gain')}")
    true_of_study = true_values(study)
    if true_of_study is None:
        print("  no truth here: these were real tables")
        continue
    for words, value in true_of_study.items():
        print(f"  true fall, {words}: {value:.2f}")

# %% [markdown]
# ## So what may be written of each?

# %%
verdicts = {}
for study in STUDIES:
    gate, by_lot = gates[study], not differences[study] == []
    kind = "difference between treatments" if by_lot else "adjusted association, not an effect"
    choice = "may be chosen person by person" if gate["individual_recommendations"] else "is not chosen for one person"
    verdicts[study] = f"{study}: {kind}; a treatment {choice}; best for all: {gate['best_fixed']}"
    print(verdicts[study])
