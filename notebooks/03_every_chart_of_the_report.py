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
# # How is each chart of the report made from the tables?
#
# The charts of `report.html` are made by `nociomics.report.charts` from tidy tables, and the tables by
# `nociomics.report.charts_tables` from what a run wrote. Both are shown here, chart by chart, so that you can change
# one: what comes back is a Vega-Altair chart, with everything that Altair can do to it.
#
# Run it from the folder where a run stands, as a script or as a notebook (jupytext). `NOCIOMICS_RESULTS` points it to
# another run, and `NOCIOMICS_CHARTS` names a folder to write the pictures to. What a run did not measure has no chart.

# %%
import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from nociomics.report import charts, charts_tables
from nociomics.report.charts_drawing import drawn, picture_file

RESULTS = Path(os.environ.get("NOCIOMICS_RESULTS", "results/demo"))
CHARTS = os.environ.get("NOCIOMICS_CHARTS")


def table(name: str) -> pl.DataFrame | None:
    path = RESULTS / f"{name}.parquet"
    return pl.read_parquet(path) if path.is_file() else None


def written(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


metrics, gate, curves = (written(f"evaluation/{name}") for name in ("metrics", "gate", "curves"))
shown: dict[str, Any] = {}


def show(name: str, rows: pl.DataFrame | None, chart: Any) -> Any:
    """Keep a chart if there is a table to make it from; in a notebook the last line of a cell shows it."""
    if rows is None or not rows.height:
        print(f"{name}: not measured")
        return None
    shown[name] = chart(rows)
    print(f"{name}: {rows.height} rows of {', '.join(rows.columns)}")
    return shown[name]


# %% [markdown]
# ## Who was in, and what is missing?

# %%
show("people", table("harmonised/cohort_flow"), charts.people_chart)

# %%
responders = charts_tables.responders_table(table("evaluation/arms"))
show("responders", responders, lambda rows: charts.interval_chart(rows, "share of responders", percent=True))

# %%
catalogue = table("harmonised/feature_catalogue")
missing = None if catalogue is None else charts_tables.missing_table(catalogue)
show("missing", missing, charts.missing_chart)

# %% [markdown]
# ## How good is the model beside simpler ones?
#
# Every figure is out of fold. `reference` draws the dashed line, here chance.

# %%
models = charts_tables.models_table(metrics, gate)
show("headline", models, lambda rows: charts.interval_chart(rows, rows["metric"][0], strong="full model"))

# %%
gains = charts_tables.gains_table(metrics)
show("gains", gains, lambda rows: charts.interval_chart(rows, "gain of the full model", reference=0.0))

# %%
show("calibration", charts_tables.calibration_table(curves), charts.calibration_chart)

# %%
show("net_benefit", charts_tables.net_benefit_table(curves), charts.net_benefit_chart)

# %% [markdown]
# ## Would more people help, and is it right more often where it is sure?

# %%
learning = charts_tables.learning_points(curves)
show("learning", learning, lambda rows: charts.share_chart(rows, "share learned from", rows["metric"][0]))

# %%
for what, y_title in (("prediction", "share of right answers"), ("choice", "gain over a treatment by lot")):
    points = charts_tables.sureness_points(curves, what)
    show(f"sureness_{what}", points, lambda rows, title=y_title: charts.share_chart(rows, "share answered", title))

# %% [markdown]
# ## Does it hold for everyone?
#
# Groups too small to show have no row: the table was made without them.

# %%
groups = charts_tables.subgroup_points(curves)
for metric in [] if groups is None else groups["metric"].unique(maintain_order=True):
    one = groups.filter(pl.col("metric") == metric)
    show(f"subgroups_{metric}", one, lambda rows, title=metric: charts.interval_chart(rows, title))

# %%
policies = charts_tables.policy_points(curves)
show("policies", policies, lambda rows: charts.interval_chart(rows, "mean outcome", strong="the model's choice"))

# %% [markdown]
# ## How many strata?

# %%
bic = charts_tables.bic_points(written("strata/summary"))
show("bic", bic, lambda rows: charts.count_chart(rows, "number of strata", "BIC against one stratum"))

# %% [markdown]
# ## What does the model lean on?
#
# Contributions describe the model: they are no causes of pain, and changing a value need not change the pain.

# %%
importance = table("explanations/importance")
for level in ("modality", "feature"):
    points = charts_tables.importance_points(importance, level)
    show(f"importance_{level}", points, lambda rows: charts.grouped_chart(rows, "mean size of the contribution"))

# %%
stability = charts_tables.stability_points(table("explanations/stability"))
show("stability", stability, lambda rows: charts.grouped_chart(rows, "rank correlation", reference=charts.STABLE))

# %%
dependence = table("explanations/dependence")
for feature in charts_tables.leading_features(dependence):
    points = charts_tables.dependence_points(dependence, feature)
    show(f"over {feature}", points, lambda rows, x=feature: charts.dependence_chart(rows, x, "contribution"))

# %% [markdown]
# ## A chart of your own, and a picture for a paper
#
# A chart is data and words until it is drawn: change it with Altair's own functions, then write it as a file.

# %%
if CHARTS is not None:
    folder = Path(CHARTS)
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in shown.items():
        safe = "".join(letter if letter.isalnum() else "_" for letter in name)
        picture = picture_file(str(drawn(chart, safe, name, f"Chart of the run in {RESULTS.name}: {name}")))
        (folder / f"{safe}.svg").write_text(picture, encoding="utf-8")
    print(f"{len(shown)} pictures")
