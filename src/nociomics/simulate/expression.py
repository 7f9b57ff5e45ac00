"""Gene counts: three modules that follow the drivers, nuisance modules, batches, and sequencing noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nociomics.simulate.endotypes import Latents
from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.nature import SITES
from nociomics.simulate.people import Visits
from nociomics.simulate.randomness import Floats, Ints, patient_stream, world_stream

GENES, BATCHES = 1000, 4
_MODULES = {"INF": 40, "NEU": 30, "HPA": 25, "IFN": 30, "CELL1": 60, "CELL2": 60}
_RHO = np.array(
    [0.75, 0.50, 0.45]
)  # how closely INF, NEU and HPA follow the inflammatory, neuropathic, psychosocial driver
_OWN_BATCH = 0.8
_DISPERSION = 0.05
_LIBRARY, _LIBRARY_SD = 2e6, 0.25
_LEAST_NOISE = 0.1  # share of a gene's variance that no module explains, at least
_ROWS_AT_ONCE = 2000  # a biobank's expected counts do not fit in memory at once


@dataclass(frozen=True)
class Genes:
    """What a gene does in one world, in the order of the columns.

    ``module`` name or "none"; ``loadings`` (genes, 6) in standard deviations; ``mean`` and ``sd`` of log2 expression;
    ``shift`` and ``scale`` (batches, genes).
    """

    module: NDArray[np.str_]
    loadings: Floats
    mean: Floats
    sd: Floats
    shift: Floats
    scale: Floats

    @property
    def noise(self) -> Floats:
        """Share of the standard deviation that no module explains."""
        return np.asarray(np.sqrt(np.maximum(1 - (self.loadings**2).sum(axis=1), _LEAST_NOISE**2)), dtype=np.float64)


@cache
def draw_genes(world: int) -> Genes:
    """Draw the genes and batches of one world; columns come shuffled."""
    rng = world_stream(world, "genes")
    none = GENES - sum(_MODULES.values())
    module = np.repeat([*_MODULES, "none"], [*_MODULES.values(), none])
    loadings = np.zeros((GENES, len(_MODULES)))
    member = np.flatnonzero(module != "none")
    sign = np.where(rng.random(len(member)) < 0.75, 1, -1)
    loadings[member, [list(_MODULES).index(name) for name in module[member]]] = sign * rng.uniform(
        0.25, 0.70, len(member)
    )
    loadings[:, -2:] += rng.normal(0, 0.10, (GENES, 2))  # both cell modules touch every gene a little
    order = rng.permutation(GENES)
    lab = world_stream(world, "batches")
    return Genes(
        module=module[order],
        loadings=loadings[order],
        mean=np.clip(rng.normal(5, 1.8, GENES), 0.5, 11),
        sd=rng.uniform(0.35, 0.9, GENES),
        shift=lab.normal(0, 0.5, (BATCHES, GENES)),
        scale=lab.uniform(0.8, 1.25, (BATCHES, GENES)),
    )


def gene_names() -> list[str]:
    """Names of the genes: ``G0001`` to ``G1000``."""
    return [f"G{number:04d}" for number in range(1, GENES + 1)]


def draw_batches(settings: Settings, visits: Visits, person: Ints) -> Ints:
    """Draw the batch (0-3) of every row, mostly the site's own; a second enrolment stays in the batch of the first."""
    own = _OWN_BATCH * np.eye(len(SITES), BATCHES)[visits.site]
    gumbel = patient_stream(settings, "batches").gumbel(size=(settings.patients, BATCHES))
    return np.asarray((own + gumbel).argmax(axis=1)[person], dtype=np.int64)


def draw_activities(settings: Settings, latents: Latents) -> Floats:
    """Draw the activity of the six modules, (rows, 6); the last three have nothing to do with pain."""
    own = patient_stream(settings, "module activities").standard_normal((settings.patients, len(_MODULES)))
    follows = _RHO * latents.drivers + np.sqrt(1 - _RHO**2) * own[:, : len(_RHO)]
    return np.hstack([follows, own[:, len(_RHO) :]])


def draw_counts(settings: Settings, latents: Latents, batch: Ints, person: Ints) -> NDArray[np.int32]:
    """Draw the read counts, (rows, genes).

    A second enrolment is the same tube sequenced again: only library size and counting noise are new.

    References
    ----------
    Negative binomial counts as a Poisson with gamma rates, dispersion .05.
    """
    rng = patient_stream(settings, "counts")
    genes = draw_genes(settings.world)
    activities = draw_activities(settings, latents)
    library = _LIBRARY * rng.lognormal(0, _LIBRARY_SD, settings.patients)
    counts = np.empty((GENES, settings.patients), dtype=np.int32)
    second = np.flatnonzero(person != np.arange(settings.patients))
    kept: Floats = np.empty((len(second), GENES))
    for start in range(0, settings.patients, _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, settings.patients))
        rates = _draw_rates(rng, genes, activities[rows], batch[rows])
        counts[:, rows] = rng.poisson(library[rows, None] * rates).T
        here = np.flatnonzero(np.isin(person[second], rows))
        kept[here] = rates[person[second[here]] - start]
    counts[:, second] = rng.poisson(library[second, None] * kept).T
    return counts.T


def _draw_rates(rng: np.random.Generator, genes: Genes, activities: Floats, batch: Ints) -> Floats:
    """Draw each gene's share of the library, with the variation between tubes."""
    noise = rng.standard_normal((len(batch), GENES))
    deviation = genes.sd * (activities @ genes.loadings.T + genes.noise * noise)
    level = np.exp2(genes.mean + genes.shift[batch] + genes.scale[batch] * deviation)
    shares = level / level.sum(axis=1, keepdims=True)
    return np.asarray(shares * rng.gamma(1 / _DISPERSION, _DISPERSION, shares.shape), dtype=np.float64)


def expression_table(counts: NDArray[np.int32], visits: Visits, ids: pl.Series) -> pl.DataFrame:
    """Return the counts of the measured rows: ``patient_id`` and one Int32 column per gene."""
    measured = visits.measured[:, 1]
    columns = {name: column[measured] for name, column in zip(gene_names(), counts.T, strict=True)}
    return pl.DataFrame({"patient_id": ids.filter(pl.Series(measured)), **columns})


def expression_sample_table(batch: Ints, visits: Visits, ids: pl.Series, at: pl.Series) -> pl.DataFrame:
    """Return ``patient_id, batch, collected_at`` of the measured rows."""
    names = [f"batch_{number + 1}" for number in batch]
    samples = pl.DataFrame({"patient_id": ids, "batch": names, "collected_at": at})
    return samples.filter(pl.Series(visits.measured[:, 1]))


def gene_truth(world: int) -> pl.DataFrame:
    """Return per gene its ``module``, ``loading`` on it (in standard deviations), ``mean`` and ``sd`` of log2."""
    genes = draw_genes(world)
    own = [list(_MODULES).index(name) if name != "none" else None for name in genes.module]
    loading = [None if column is None else float(genes.loadings[row, column]) for row, column in enumerate(own)]
    return pl.DataFrame(
        {"gene": gene_names(), "module": genes.module.tolist(), "loading": loading, "mean": genes.mean, "sd": genes.sd},
        schema_overrides={"loading": pl.Float64},
    )
