"""Who is trained on and who is tested: folds by person, with near-duplicate people kept together."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from nociomics.models.settings import SplitSettings

_LEAST_VARIANTS = 100


def find_duplicates(
    dosages: pl.DataFrame | None, expression: pl.DataFrame | None, settings: SplitSettings
) -> pl.DataFrame:
    """Find people who are probably the same person under two ids.

    Two ids are one person when their genotypes agree at more than ``genotype_concordance`` of at least
    100 shared variants, or their gene-centred expression correlates above ``expression_correlation``.

    Parameters
    ----------
    dosages : DataFrame, one row per person, or None
        As in `tables.ingested.DOSAGES`.
    expression : DataFrame, one row per person, or None
        ``patient_id`` and log2 expression per gene.
    settings : SplitSettings
        The two limits.

    Returns
    -------
    DataFrame, one row per pair
        ``patient_a``, ``patient_b`` (a before b), ``evidence``.
    """
    pairs: dict[tuple[str, str], str] = {}
    if dosages is not None and dosages.width - 1 >= _LEAST_VARIANTS:
        pairs |= _concordant(dosages, settings.genotype_concordance)
    if expression is not None and expression.width - 1 >= _LEAST_VARIANTS and expression.height > 2:
        for pair in _correlated(expression, settings.expression_correlation):
            pairs.setdefault(pair, "expression")
    rows = [(a, b, evidence) for (a, b), evidence in sorted(pairs.items())]
    schema = {"patient_a": pl.String, "patient_b": pl.String, "evidence": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _concordant(dosages: pl.DataFrame, limit: float) -> dict[tuple[str, str], str]:
    names = dosages["patient_id"].to_list()
    calls = dosages.drop("patient_id").cast(pl.Float32).fill_null(-1).to_numpy()
    equal = np.zeros((len(names), len(names)), dtype=np.float32)
    for dosage in (0, 1, 2):
        same = (calls == dosage).astype(np.float32)
        equal += same @ same.T
    known = (calls >= 0).astype(np.float32)
    shared = known @ known.T
    alike = (shared >= _LEAST_VARIANTS) & (equal > limit * shared)
    return {pair: "genotype" for pair in _upper_pairs(alike, names)}


def _correlated(expression: pl.DataFrame, limit: float) -> list[tuple[str, str]]:
    names = expression["patient_id"].to_list()
    values = expression.drop("patient_id").cast(pl.Float64).to_numpy()
    known = ~np.isnan(values)
    centre = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)  # a gene may be nobody's
    values = np.where(known, values - centre, 0)
    values = values - values.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    values = values / np.where(norm > 0, norm, 1)
    return _upper_pairs(values @ values.T > limit, names)


def _upper_pairs(alike: np.ndarray, names: list[str]) -> list[tuple[str, str]]:
    first, second = np.nonzero(np.triu(alike, k=1))
    return [(min(names[a], names[b]), max(names[a], names[b])) for a, b in zip(first, second, strict=True)]


def person_groups(patients: list[str], pairs: pl.DataFrame) -> dict[str, str]:
    """Give every id the smallest id that is the same person, following chains of pairs."""
    group = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while group[patient] != patient:
            patient = group[patient]
        return patient

    for a, b in pairs.select("patient_a", "patient_b").iter_rows():
        if a in group and b in group:
            low, high = sorted((root(a), root(b)))
            group[high] = low
    return {patient: root(patient) for patient in patients}


def make_splits(
    patients: list[str],
    groups: dict[str, str],
    strata: dict[str, str],
    settings: SplitSettings,
    seed: int,
) -> pl.DataFrame:
    """Divide people into outer and inner folds, once for the whole study.

    Only ids decide the order within a stratum; features never do. Ids of one person share their folds.

    Parameters
    ----------
    patients : list of str
        Everyone in the study, with or without an outcome.
    groups : dict
        Id -> id of the person, from `person_groups`.
    strata : dict
        Id -> what is balanced over folds (class, treatment or response), from the person's first id.
    settings : SplitSettings
        Numbers of folds and repeats.
    seed : int
        The study's seed.

    Returns
    -------
    DataFrame, one row per person and repeat
        As in `tables.results.SPLITS`; folds count from 0.
    """
    repeats = settings.repeats or (10 if len(patients) < 500 else 3)
    people = sorted(set(groups.values()))
    rows = []
    for repeat in range(repeats):
        outer = _dealt(people, strata, settings.outer_folds, f"{seed}/{repeat}/outer")
        inner = _dealt(people, strata, settings.inner_folds, f"{seed}/{repeat}/inner")
        rows += [(patient, repeat, outer[groups[patient]], inner[groups[patient]]) for patient in sorted(patients)]
    schema = {"patient_id": pl.String, "repeat": pl.Int64, "outer_fold": pl.Int64, "inner_fold": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _dealt(people: list[str], strata: dict[str, str], folds: int, salt: str) -> dict[str, int]:
    """Shuffle by a salted hash, sort by stratum, deal like cards: every fold gets its share of each stratum."""

    def key(person: str) -> tuple[str, str]:
        return strata.get(person, ""), hashlib.sha256(f"{salt}/{person}".encode()).hexdigest()

    return {person: place % folds for place, person in enumerate(sorted(people, key=key))}
