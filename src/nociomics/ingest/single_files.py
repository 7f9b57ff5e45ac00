"""Read one file on its own, outside any study: for the commands that take a single table or genotype file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.errors import StudyError, TableError, did_you_mean
from nociomics.ingest.diplotypes import read_diplotypes
from nociomics.ingest.gathered_bases import GivenBuild
from nociomics.ingest.genotype_conversion import convert_genotypes, convert_or_say
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.pharmacogene_file import as_text, read_pharmacogene_file
from nociomics.ingest.sources import open_source
from nociomics.tables.finding import Finding
from nociomics.tables.study import TableSource


def read_any_table(path: Path) -> tuple[pl.DataFrame | None, list[Finding]]:
    """Read a table of any format as text columns, missing tokens as null.

    Returns
    -------
    DataFrame or None, list of Finding
        None when the file cannot be used; the findings say why.
    """
    notes = Notes(path.name)
    frame = open_source(TableSource(path=path.name), path.parent, notes)
    return (None if frame is None else frame.drop(HIDDEN, strict=False)), notes.findings


def read_pharmacogenes(
    genotypes: Path | None, diplotypes: Path | None, build: GivenBuild = "auto"
) -> tuple[pl.DataFrame | None, pl.DataFrame | None, list[str], list[Finding]]:
    """Read genotypes at the pharmacogene positions and star alleles called elsewhere; either is enough.

    A person may stand in one of the two only; how many do is remarked. Outside calls that cannot be read are fatal,
    all of them named by their lines.

    Parameters
    ----------
    build : {"auto", "GRCh37", "GRCh38"}
        Of the genotype file; ``auto`` is found out.

    Returns
    -------
    DataFrame or None, DataFrame or None, list of str, list of Finding
        As in `PHARMACOGENE_GENOTYPES` and `DIPLOTYPES`; everybody in either file; what was remarked.
    """
    notes = Notes("genotype")
    outside_notes = Notes("diplotypes")
    found = None if genotypes is None else read_pharmacogene_file(genotypes, build, notes)
    outside = None
    if diplotypes is not None:
        source = TableSource(path=diplotypes.name)
        outside = read_diplotypes([source], diplotypes.parent, None, outside_notes, require_readable=True)
    samples = [] if found is None else found.samples
    people = [] if outside is None else outside["patient_id"].unique().to_list()
    if found is not None and outside is not None and diplotypes is not None and genotypes is not None:
        _note_strangers(samples, people, diplotypes.name, genotypes.name, outside_notes)
    findings = [*notes.findings, *outside_notes.findings]
    return None if found is None else as_text(found.rows), outside, sorted({*samples, *people}), findings


def _note_strangers(samples: list[str], people: list[str], table: str, file: str, notes: Notes) -> None:
    """Say how many people have outside calls but no genotypes; when that is everybody, the ids are of two kinds."""
    strangers = len(set(people) - set(samples))
    if not strangers:
        return
    if strangers == len(people):
        notes.fatal(
            f"{table}: none of its {strangers} people is a sample of {file}. Ids are compared as they are written; "
            "use the same names in both files, or run the two files apart.",
            column="patient_id",
            count=strangers,
        )
        return
    notes.warning(
        f"{table}: {strangers} of its {len(people)} people are no samples of {file}; they get their outside calls "
        "alone.",
        column="patient_id",
        count=strangers,
    )


def convert_file(path: Path, folder: Path, build: str = "auto") -> list[Finding]:
    """Convert one genotype file to a store.

    Parameters
    ----------
    path : Path
        VCF, BCF, PLINK 1 or PLINK 2; a VCF or BCF of sites only too.
    folder : Path
        The store to write.
    build : str
        ``auto``, ``GRCh37`` or ``GRCh38``.

    Returns
    -------
    list of Finding
        What was remarked; none of it fatal.

    Raises
    ------
    StudyError
        For another word than these builds.
    TableError
        With every problem of the file; then nothing is written.
    """
    notes = Notes("genotype")
    convert_genotypes(path, path.name, folder, notes, known_build(build), sites_only=True)
    fatal = [finding.message for finding in notes.findings if finding.severity == "fatal"]
    if fatal:
        raise TableError("\n".join(fatal))
    return notes.findings


def convert_source(shown: str, root: Path, folder: Path, build: str = "auto") -> None:
    """Convert one genotype file of a study; `genotype.read_genotype` opens what this wrote.

    A file that cannot be used, and a table of dosages, leave a ``manifest.json`` that says so.
    """
    convert_or_say(root / shown, shown, folder, known_build(build))


def known_build(build: str) -> GivenBuild:
    """Return a genome build by its name."""
    known: tuple[GivenBuild, ...] = ("auto", "GRCh37", "GRCh38")
    for name in known:
        if name == build:
            return name
    raise StudyError(f'build "{build}" is none of {", ".join(known)}.{did_you_mean(build, known)}')
