"""Do strata agree with groups that somebody else named? Real data, without telling the program.

NOCIOMICS_DATA=DIR python benchmarks/strata_known_groups.py [--studies NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # noqa: E402

from nociomics.config import data_folder, load_config  # noqa: E402
from nociomics.ingest.study_tables import read_study, require_sound  # noqa: E402
from nociomics.models.settings import BlockSettings, StrataSettings  # noqa: E402
from nociomics.models.stratification import StratumModel  # noqa: E402
from nociomics.preparation import prepare_read  # noqa: E402

# study -> table, id and column of the groups that somebody named
NAMED = {
    "lbp-mechanism": ("patients.csv", "patient_id", "mechanism"),
    "breast-tcga-diablo": ("train_labels.csv", "sample_id", "subtype"),
}
_SEEDS = 5


def judge(name: str) -> dict[str, object]:
    """Look for strata in one study and compare them with the named groups."""
    file = ROOT / "config" / "studies" / f"{name}.yaml"
    study = load_config(file)
    data = data_folder(study, file.parent)
    study = study.model_copy(update={"data_root": None})
    with tempfile.TemporaryDirectory(prefix="nociomics-strata-") as stores:
        read = read_study(study, data, stores=Path(stores))
        require_sound(read.findings)
        prepared = prepare_read(read, study, data, Path(stores))
    table, of, column = NAMED[name]
    named = pl.read_csv(data / table).select(pl.col(of).cast(pl.String).alias("patient_id"), column)
    started = time.process_time()
    model = StratumModel(StrataSettings(), BlockSettings(), 1).fit(prepared.features, prepared.catalogue)
    spent = time.process_time() - started
    both = model.assign(prepared.features).join(named, on="patient_id", validate="1:1").drop_nulls("stratum")
    others = [_labels(prepared.features, prepared.catalogue, seed) for seed in range(2, _SEEDS + 1)]
    own = model.assign(prepared.features)["stratum"]
    jaccard = model.stability_["jaccard"] or {}
    return {
        "study": name,
        "people": both.height,
        "k": model.k_,
        "ari": round(float(adjusted_rand_score(both[column], both["stratum"])), 3),
        "nmi": round(float(normalized_mutual_info_score(both[column], both["stratum"])), 3),
        "jaccard": " ".join(f"{value:.2f}" for value in jaccard.values()),
        "mean_jaccard": round(float(np.mean(list(jaccard.values()))), 3) if jaccard else None,
        "between_seeds": round(float(np.mean([adjusted_rand_score(own, other) for other in others])), 3),
        "cpu_s": round(spent, 1),
    }


def _labels(features: pl.DataFrame, catalogue: pl.DataFrame, seed: int) -> pl.Series:
    model = StratumModel(StrataSettings(bootstraps=0), BlockSettings(), seed).fit(features, catalogue)
    return model.assign(features)["stratum"]


def main() -> None:
    """Judge the studies and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=list(NAMED), choices=list(NAMED))
    print(markdown(pl.DataFrame([judge(name) for name in parser.parse_args().studies])))


if __name__ == "__main__":
    main()
