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
# # What did the demo find, and was it true?
#
# `make demo` simulates a cohort and runs everything on it. The simulation also wrote what only the generator knows,
# so each finding can be held against the truth. Nobody in it exists.
#
# Run it from the folder where `make demo` ran, as a script or as a notebook (jupytext). `NOCIOMICS_RESULTS` and
# `NOCIOMICS_TRUTH` point it to another run.

# %%
import json
import os
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

RESULTS = Path(os.environ.get("NOCIOMICS_RESULTS", "results/demo"))
TRUTH = Path(os.environ.get("NOCIOMICS_TRUTH", "demo/truth"))


def table(name: str) -> pl.DataFrame:
    return pl.read_parquet(RESULTS / f"{name}.parquet")


metrics = json.loads((RESULTS / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
gate = json.loads((RESULTS / "evaluation" / "gate.json").read_text(encoding="utf-8"))
curves = json.loads((RESULTS / "evaluation" / "curves.json").read_text(encoding="utf-8"))

# %% [markdown]
# ## Who was in?

# %%
print(table("harmonised/cohort_flow"))
print(table("evaluation/arms").select("treatment", "people", "with_outcome"))

# %% [markdown]
# ## Does it predict better than chance, and better than clinical data alone?
#
# All figures are out of fold: each person was predicted by models that never saw that person. A gain whose interval
# reaches zero is no finding.


# %%
def shown(name: str) -> str:
    found = metrics.get(name)
    if found is None or found["value"] is None:
        return f"{name}: not measured"
    if found["lower"] is None or found["upper"] is None:
        return f"{name}: {found['value']:.2f}"
    return f"{name}: {found['value']:.2f} ({found['lower']:.2f} to {found['upper']:.2f}), n = {found['n']}"


for name in ("auroc", "auroc_gain_over_clinical_only", "calibration_slope", "brier", "coverage_90"):
    print(shown(name))

# %%
figure, axes = plt.subplots(figsize=(4, 4))
axes.plot([0, 1], [0, 1], linestyle="dashed", color="grey")
axes.plot(curves["calibration"]["predicted"], curves["calibration"]["observed"])
axes.set_xlabel("predicted probability of a response")
axes.set_ylabel("observed share")
axes.set_title("Calibration, out of fold")
figure.tight_layout()

# %% [markdown]
# ## May a treatment be chosen for one person?

# %%
print("gate open:", gate["individual_recommendations"], "| best for all:", gate["best_fixed"])
for reason in gate["reasons"]:
    print("-", reason)
print(shown("policy_gain"))

# %% [markdown]
# ## Would choosing by the model really have helped?
#
# The generator knows how far each person's pain would have fallen under each treatment. The choice below is the one
# that the models made for people whom they had not seen; its true value stands beside that of one treatment for all,
# and beside the best choice that anyone could make.

# %%
if (TRUTH / "people.parquet").is_file():
    truth = pl.read_parquet(TRUTH / "people.parquet")
    falls = truth.select("patient_id", pl.col("^fall_.*$").name.replace("^fall_", ""))
    long = falls.unpivot(index="patient_id", variable_name="treatment", value_name="true_fall")
    expected = table("response/out_of_fold").group_by("patient_id", "treatment").agg(pl.col("expected").mean())
    both = expected.join(long, on=["patient_id", "treatment"])
    chosen = both.filter(pl.col("expected") == pl.col("expected").max().over("patient_id"))
    best = both.filter(pl.col("true_fall") == pl.col("true_fall").max().over("patient_id"))
    for_all = both.group_by("treatment").agg(pl.col("true_fall").mean()).sort("true_fall", descending=True)
    print(f"chosen by the models:  {chosen['true_fall'].mean():.2f} points of fall")
    print(f"best treatment for all ({for_all['treatment'][0]}): {for_all['true_fall'][0]:.2f}")
    print(f"best for each person, which nobody can know: {best['true_fall'].mean():.2f}")
else:
    print("no truth here: these were real tables, and this question has no answer")

# %% [markdown]
# ## Are there types of patients?
#
# The demo's world has four overlapping types. Whether they can be told apart at this size is another question: one
# stratum is an honest answer.

# %%
summary = json.loads((RESULTS / "strata" / "summary.json").read_text(encoding="utf-8"))
print("strata:", summary["k"], "|", summary["evidence"])
if (TRUTH / "people.parquet").is_file():
    assigned = table("strata/assignments").select("patient_id", "stratum")
    types = pl.read_parquet(TRUTH / "people.parquet").select("patient_id", "endotype")
    print(assigned.join(types, on="patient_id").group_by("stratum", "endotype").len().sort("stratum", "endotype"))
