"""The cohort at the size of a biobank: more variants, analytes and questionnaires, fewer genes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import ndtri

from nociomics.knowledge.instrument import load_instrument
from nociomics.simulate.biomarkers import draw_plates
from nociomics.simulate.cohort import Cohort, measure_cohort
from nociomics.simulate.endotypes import Latents
from nociomics.simulate.genotypes import NO_CALL, read_facts
from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.nature import BLOCK, CONTIGS, FREE_CONTIGS
from nociomics.simulate.people import Visits, draw_people, draw_visits
from nociomics.simulate.plink import write_bed
from nociomics.simulate.randomness import Dosages, Floats, Ints, logistic, patient_stream, world_stream
from nociomics.simulate.truth import draw_truth
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)

PANEL = 10_000
GENES = 500
# instrument, how it follows the psychosocial driver (per standard deviation, on the scale of log odds)
_FURTHER_INSTRUMENTS = {
    "csi": 0.7,
    "phq_9": 0.8,
    "gad_7": 0.7,
    "pseq": -0.8,
    "tsk_17": 0.5,
    "cpaq_20": -0.6,
    "isi": 0.6,
}
_STYLE, _ITEM_NOISE, _ITEM_MISSING = 0.3, 0.8, 0.02
_LINKAGE, _NO_CALL_SHARE = 0.8, 0.01
_PLACE, _STEP = 0.90, 1000  # behind the variants of the cohort on each chromosome


def simulate_biobank(
    patients: int, seed: int, world: int, mechanism: str, assignment: str, effect_size: float
) -> Cohort:
    """Simulate the cohort with 500 genes, 12 analytes and 150 items; `write_panel` draws the further variants.

    The people, their truth and what both scales measure are those of `simulate_cohort` with the same arguments.

    Parameters
    ----------
    patients, seed, world, mechanism, assignment, effect_size
        As there.
    """
    settings = Settings(patients, seed, world, mechanism, assignment, effect_size)
    truth = draw_truth(settings)
    cohort = measure_cohort(settings, truth)
    return replace(
        cohort,
        expression=cohort.expression.select("patient_id", *cohort.expression.columns[1 : GENES + 1]),
        biomarkers=_with_further_analytes(cohort, truth.visits),
        questionnaires=cohort.questionnaires.hstack(_further_answers(settings, truth.latents)),
    )


def write_panel(cohort: Cohort, path: Path) -> None:
    """Write the cohort's variants and as many neutral ones as make 10,000, as PLINK 1 files.

    Parameters
    ----------
    cohort : Cohort
        As simulated.
    path : Path
        The ``.bed`` file; ``.bim`` and ``.fam`` come beside it.
    """
    settings = cohort.settings
    further = _further_variants(settings.world, PANEL - cohort.variants.height)
    visits, person = draw_visits(settings)
    measured, group = visits.measured[:, 0], draw_people(settings).group[person]

    def dosages() -> Iterator[tuple[str, Dosages]]:
        for name in cohort.variants["variant"]:
            yield name, cohort.genotypes[name].fill_null(NO_CALL).to_numpy().astype(np.int8)
        names = further["variant"].to_list()
        progress = Progress("panel", "variants", len(names))
        drawn = _further_dosages(settings, group, person, len(names))
        for start, block in zip(range(0, len(names), BLOCK), drawn, strict=True):
            yield from zip(names[start : start + BLOCK], np.ascontiguousarray(block[measured].T), strict=False)
            progress.advance(BLOCK)

    order = {chrom: number for number, chrom in enumerate(CONTIGS)}
    variants = pl.concat([cohort.variants, further]).sort(
        pl.col("chrom").replace_strict(order, return_dtype=pl.Int64), "pos"
    )
    write_bed(dosages(), cohort.genotypes["patient_id"].to_list(), variants, path)


def _with_further_analytes(cohort: Cohort, visits: Visits) -> pl.DataFrame:
    """Add neutral analytes to each person's rows, measured on the same plates."""
    facts = read_facts("biobank_analytes")
    settings, shown = cohort.settings, cohort.biomarkers.unique("patient_id", keep="first", maintain_order=True)
    rng = patient_stream(settings, "further analytes")
    plate, _ = draw_plates(settings, visits)
    shifts = rng.normal(0, 0.2, (int(plate.max()) + 1, facts.height))[plate[visits.measured[:, 2]]]
    noise = rng.standard_normal((shown.height, facts.height)) * facts["sd"].to_numpy()
    levels = facts["median"].to_numpy() * np.exp(noise + shifts)
    long = pl.concat(
        [
            shown.select(
                "patient_id",
                pl.lit(row["analyte"]).alias("analyte"),
                pl.Series("value", np.maximum(levels[:, place], row["lod"])).round_sig_figs(4),
                pl.lit(row["unit"]).alias("unit"),
                pl.Series("below_lod", levels[:, place] < row["lod"]),
                pl.lit(row["lod"], pl.Float64).alias("lod"),
                "plate",
                "specimen",
                "collected_at",
            )
            for place, row in enumerate(facts.iter_rows(named=True))
        ]
    )
    return pl.concat([cohort.biomarkers, long])


def _further_answers(settings: Settings, latents: Latents) -> pl.DataFrame:
    """Draw the items of further instruments, which follow the psychosocial driver and nothing else of interest."""
    columns: list[pl.Series] = []
    for name, loading in _FURTHER_INSTRUMENTS.items():
        instrument = load_instrument(name)
        rng = patient_stream(settings, f"items {name}")
        common = loading * latents.drivers[:, 2] + _STYLE * latents.style - 0.5
        for name_of_item, item in instrument.items.items():
            inside = logistic(common + _ITEM_NOISE * rng.standard_normal(settings.patients))
            answer = np.rint(item.low + (item.high - item.low) * inside).astype(np.int8)
            left_out = pl.Series(rng.random(settings.patients) < _ITEM_MISSING)
            columns.append(pl.Series(f"{instrument.feature_prefix}_{name_of_item}", answer).set(left_out, None))
    return pl.DataFrame(columns)


def _further_variants(world: int, count: int) -> pl.DataFrame:
    """Return where the neutral variants lie: behind those of the cohort, on chromosomes without any pharmacogene."""
    rng = world_stream(world, "further variants")
    blocks = np.arange(count) // BLOCK
    chrom = np.array(FREE_CONTIGS)[blocks % len(FREE_CONTIGS)]
    pairs = np.array([("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")])[rng.integers(0, 4, count)]
    frame = pl.DataFrame({"chrom": chrom, "ref": pairs[:, 0], "alt": pairs[:, 1]}).with_columns(
        number=pl.int_range(pl.len()).over("chrom"),
        start=(pl.col("chrom").replace_strict(CONTIGS, return_dtype=pl.Int64) * _PLACE).cast(pl.Int64),
        variant=pl.format("sim_panel_{}", (pl.int_range(pl.len()) + 1).cast(pl.String).str.zfill(5)),
    )
    return frame.select("variant", "chrom", (pl.col("start") + pl.col("number") * _STEP).alias("pos"), "ref", "alt")


def _further_dosages(settings: Settings, group: Ints, person: Ints, count: int) -> Iterator[Dosages]:
    """Draw blocks of five linked variants: (rows, 5) copies of ALT, -1 where the call failed.

    Yields
    ------
    ndarray of int8
        A second enrolment carries what the first does.
    """
    limits = ndtri(_frequencies(settings.world, count)).astype(np.float32)
    rng = patient_stream(settings, "further variants")
    rows, shared_share, own_share = len(group), np.float32(np.sqrt(_LINKAGE)), np.float32(np.sqrt(1 - _LINKAGE))
    for start in range(0, count, BLOCK):
        limit = limits[:, start : start + BLOCK][group]
        copies = np.zeros(limit.shape, dtype=np.int8)
        for _ in range(2):
            shared = shared_share * rng.standard_normal((rows, 1), dtype=np.float32)
            copies += shared + own_share * rng.standard_normal(limit.shape, dtype=np.float32) < limit
        copies = copies[person]
        failed = rng.integers(0, copies.size, rng.binomial(copies.size, _NO_CALL_SHARE))
        copies.reshape(-1)[failed] = NO_CALL
        yield copies


def _frequencies(world: int, count: int) -> Floats:
    rng = world_stream(world, "further frequencies")
    base = 0.05 + 0.45 * rng.beta(1.2, 1.2, count)
    return np.vstack([base, np.clip(base + rng.normal(0, 0.03, count), 0.02, 0.98)])
