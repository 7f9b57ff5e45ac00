"""Clean the names of genes: versions off, counters that are no genes out, repeated genes put together."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from nociomics.ingest.notes import Notes

Values = Literal["counts", "tpm", "log2"]

_VERSIONED = re.compile(r"(ENS[A-Z]*[GT]\d{11})\.\d+(_PAR_Y)?")
_STAR = {"N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"}
_HOW = {
    "counts": "their counts are added up",
    "tpm": "their TPM are added up",
    "log2": "they are added on the linear scale, log2(sum of 2^x)",
}


def is_gene(name: str) -> bool:
    """Whether a row is a gene, not one of the counters that HTSeq and STAR write below or above the genes.

    Examples
    --------
    >>> [is_gene(name) for name in ("COMT", "__no_feature", "N_unmapped")]
    [True, False, False]
    """
    return not name.startswith("__") and name not in _STAR


def without_version(name: str) -> str:
    """Take the version off an Ensembl id; the copy on the Y chromosome keeps its mark, any other name stays.

    Examples
    --------
    >>> [without_version(name) for name in ("ENSG00000139618.15", "ENSG00000002586.20_PAR_Y", "RP11-34P13.7")]
    ['ENSG00000139618', 'ENSG00000002586_PAR_Y', 'RP11-34P13.7']
    """
    found = _VERSIONED.fullmatch(name)
    return found[1] + (found[2] or "") if found else name


def clean_genes(
    names: list[str], values: np.ndarray, measure: Values, file: str, notes: Notes
) -> tuple[list[str], np.ndarray]:
    """Clean the names of the genes of one file, and put rows of the same gene together.

    What becomes of a gene of one person follows from this person's own values alone.

    Parameters
    ----------
    names : list of str
        As the file has them.
    values : ndarray, shape (genes, people)
        May be overwritten. NaN where missing.
    measure : {"counts", "tpm", "log2"}
        Counts and TPM of a repeated gene are added up, log2 values on the linear scale; a sum with a missing
        part is missing.
    file : str
        As the study writes it.

    Returns
    -------
    list of str, ndarray of shape (genes, people)
        Each gene once, in the order of its first row.
    """
    genes = np.array([is_gene(name) for name in names], dtype=bool)
    if not genes.all():
        count = int((~genes).sum())
        what = "rows count reads that lie in no gene (such as __no_feature or N_unmapped) and are left out."
        notes.info(f"{file}: {count} {what}", count=count)
        names, values = [name for name in names if is_gene(name)], values[genes]
    clean = [without_version(name) for name in names]
    versioned = sum(one != other for one, other in zip(names, clean, strict=True))
    if versioned:
        what = "Ensembl ids carry a version (ENSG00000139618.15), which is taken off."
        notes.info(f"{file}: {versioned} {what}", count=versioned)
    return _each_once(clean, values, measure, file, notes)


def _each_once(
    names: list[str], values: np.ndarray, measure: Values, file: str, notes: Notes
) -> tuple[list[str], np.ndarray]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    if len(places) == len(names):
        return names, values
    several = [rows for rows in places.values() if len(rows) > 1]
    for rows in several:
        values[rows[0]] = _sum(values[rows], measure)
    again = len(names) - len(places)
    notes.info(
        f"{file}: {again} rows repeat a gene that stands above ({len(several)} genes); {_HOW[measure]}.", count=again
    )
    notes.step(file, "combined", len(names), len(places), f"rows of the same gene: {_HOW[measure]}")
    return list(places), values[[rows[0] for rows in places.values()]]


def _sum(values: np.ndarray, measure: Values) -> np.ndarray:
    """Sum over rows; missing when a part is.

    Examples
    --------
    >>> _sum(np.array([[3.0, 1.0], [3.0, np.nan]]), "log2").tolist()
    [4.0, nan]
    """
    if measure == "log2":
        with np.errstate(invalid="ignore"):  # a missing part
            added: np.ndarray = np.logaddexp2.reduce(values, axis=0)
        return added
    whole: np.ndarray = values.sum(axis=0)
    return whole
