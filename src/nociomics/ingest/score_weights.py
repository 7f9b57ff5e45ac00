"""Read the weights of a polygenic score in the layout of the PGS Catalog."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.content import UnreadableTable, read_bytes, refuse
from nociomics.ingest.notes import FILE, ROW, Notes, Severity, listed
from nociomics.tables.chromosomes import AUTOSOMES, chromosome
from nociomics.tables.polygenic import SCORE_WEIGHTS
from nociomics.tables.study import PolygenicScoreSource

TABLE = "polygenic_scores"
_SCHEMA = {
    "score": pl.String,
    "build": pl.String,
    "rsid": pl.String,
    "chrom": pl.String,
    "pos": pl.Int64,
    "effect_allele": pl.String,
    "other_allele": pl.String,
    "weight": pl.Float64,
    "frequency": pl.Float64,
}
_BUILDS = {
    "grch37": "GRCh37",
    "hg19": "GRCh37",
    "ncbi37": "GRCh37",
    "b37": "GRCh37",
    "grch38": "GRCh38",
    "hg38": "GRCh38",
    "ncbi38": "GRCh38",
}
_NOT_ADDITIVE = ("is_interaction", "is_dominant", "is_recessive", "is_haplotype", "is_diplotype")
_PER_DOSAGE = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
_NO_ADDITION = (
    "are no additive weight of one allele and cannot be applied here. Leave them out of the file, "
    "knowing that the score is then another one."
)
_PER_GENOTYPE = "weigh genotypes and not copies, and cannot be applied here."
_NUMBERS = {"weight": "effect_weight", "pos": "chr_position", "frequency": "allelefrequency_effect"}
_TRUE = ("true", "t", "1", "yes", "y")
_EMPTY = ("", "na", "nan", "nr", ".", "none")
_NOTHING = sorted({"".join(letters) for word in _EMPTY for letters in product(*zip(word, word.upper(), strict=True))})
"""The same however their letters are written, for the reader of the text."""
_BLANKS = (b" ", b"\r", b"\v", b"\f")
"""What else than tabs and line ends may stand around a value; without any, nothing need be stripped."""
_CHROMOSOMES = frozenset({*AUTOSOMES, "X", "Y", "XY", "MT", None})
_Problem = tuple[Severity, str | None, str, pl.Expr]
"""How bad, which column, what the rows do, and which rows."""
_ALLELE, _RSID = r"^[ACGT]+$", r"^rs\d+$"


def read_score_weights(source: PolygenicScoreSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read one file of weights, plain or gzipped.

    The harmonised columns (``hm_*``) are preferred where the file has them. Rows that are no additive weight of
    one allele (interactions, haplotypes, dominant and recessive effects) are refused by the name of their flag.

    Parameters
    ----------
    source : PolygenicScoreSource
        Path, name and build.
    root : Path
        Folder that the path is relative to.
    notes : Notes
        Takes every problem.

    Returns
    -------
    DataFrame or None, one row per weighted allele
        As in `SCORE_WEIGHTS`; None after a fatal finding.
    """
    try:
        header, frame = _rows(root / source.path, source.path)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, count=problem.count)
        return None
    frame = frame.insert_column(0, pl.Series(FILE, [source.path]).new_from_index(0, frame.height))
    before = len([finding for finding in notes.findings if finding.severity == "fatal"])
    build = _build(source, header, "hm_pos" in frame.columns, notes)
    if _has_columns(frame, notes):
        _refuse_not_additive(frame, notes)
        weights = _weights(frame, source, build, notes)
    if len([finding for finding in notes.findings if finding.severity == "fatal"]) > before:
        return None
    once = _without_copies(weights, notes)
    notes.step(source.path, "read", frame.height, once.height, "weights of one allele each")
    notes.came_from(TABLE, f"pgs_{source.name}", source.path, "effect_weight")
    said = f" of {header['pgs_id']}" if header.get("pgs_id") else ""
    notes.info(
        f"{source.path}: {once.height:,} weights{said}, positions {'of ' + build if build else 'of an unknown build'}.",
        count=once.height,
    )
    return SCORE_WEIGHTS.check(once.select(*_SCHEMA), source.path)


def _rows(path: Path, shown: str) -> tuple[dict[str, str], pl.DataFrame]:
    """Split a file into its ``#key=value`` lines and its rows, all text, with the line of each."""
    data = read_bytes(path, shown).replace(b"\r\n", b"\n")
    header: dict[str, str] = {}
    at = lines = 0
    while data.startswith((b"#", b"\n"), at):
        end = data.find(b"\n", at) + 1 or len(data)
        key, mark, value = data[at:end].decode("utf-8", errors="replace").strip().lstrip("#").partition("=")
        if mark:
            header[key.strip().lower()] = value.strip()
        at, lines = end, lines + 1
    body = data[at:].rstrip(b"\n") + b"\n"
    if body.count(b"\n") < 2:
        raise refuse(f"{shown}: holds no weights: it needs a line of column names and one row per weight.")
    _refuse_ragged(body, lines, shown)
    try:
        frame = pl.read_csv(body, separator="\t", infer_schema=False, quote_char=None, null_values=_NOTHING)
    except pl.exceptions.PolarsError as error:
        raise refuse(f"{shown}: cannot be split into rows and columns by tabs.") from error
    if not body.isascii() or any(blank in body for blank in _BLANKS):
        plain = pl.all().str.strip_chars()
        empty = plain.str.to_lowercase().is_in(list(_EMPTY))
        frame = frame.select(pl.when(empty).then(None).otherwise(plain).name.keep())
    return header, frame.insert_column(0, pl.Series(ROW, np.arange(frame.height) + lines + 2))


def _refuse_ragged(body: bytes, lines: int, shown: str) -> None:
    marks = np.frombuffer(body, np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(marks == ord("\n"))[:-1] + 1])
    tabs = np.add.reduceat(marks == ord("\t"), starts, dtype=np.int64)
    wrong = np.flatnonzero(tabs != tabs[0])
    if len(wrong):
        raise refuse(
            f"{shown}: {len(wrong)} rows (first: line {wrong[0] + lines + 1}, with {tabs[wrong[0]] + 1} fields) do not "
            f"have the {tabs[0] + 1} fields of the line of column names. Columns are separated by tabs.",
            len(wrong),
        )


def _build(source: PolygenicScoreSource, header: dict[str, str], harmonised: bool, notes: Notes) -> str | None:
    """Tell the build of the positions that are used: the harmonised ones when there are any."""
    word = header.get("hmpos_build" if harmonised else "genome_build", "")
    told = _BUILDS.get(word.lower().split(".")[0])
    if source.build == "auto":
        if told is None:
            notes.warning(
                f"{source.path}: does not say the genome build of its positions, so that variants are matched by "
                "rsID alone. Say it with build: if you know it."
            )
        return told
    if told is not None and told != source.build:
        notes.fatal(
            f"{source.path}: the study says build: {source.build}, but the file says {told}. Correct the study file, "
            "or take the file harmonised to the other build."
        )
    return source.build


def _has_columns(frame: pl.DataFrame, notes: Notes) -> bool:
    """Note which columns are missing; one way to find the variant is enough."""
    names = [name for name in frame.columns if name not in (ROW, FILE)]
    shown, found = frame[FILE][0], True
    for name in ("effect_allele", "effect_weight"):
        if name not in names:
            hint = (
                " Weights per genotype (dosage_*_weight) are no weight of one allele."
                if _PER_DOSAGE[0] in names
                else ""
            )
            notes.fatal(
                f'{shown}: has no column "{name}".{did_you_mean(name, names)}{hint} Columns: {listed(names)}.',
                column=name,
            )
            found = False
    if (
        not {"rsID", "hm_rsID"} & set(names)
        and not {"chr_name", "chr_position"} <= set(names)
        and "hm_pos" not in names
    ):
        notes.fatal(
            f"{shown}: has neither rsID nor chr_name and chr_position, so no variant can be found. "
            f"Columns: {listed(names)}."
        )
        found = False
    return found


def _refuse_not_additive(frame: pl.DataFrame, notes: Notes) -> None:
    flags = [name for name in _NOT_ADDITIVE if name in frame.columns]
    _note_all(
        frame,
        [
            *(("fatal", name, _NO_ADDITION, pl.col(name).str.to_lowercase().is_in(list(_TRUE))) for name in flags),
            *(
                ("fatal", name, _PER_GENOTYPE, pl.col(name).is_not_null())
                for name in _PER_DOSAGE
                if name in frame.columns
            ),
        ],
        notes,
    )


def _weights(frame: pl.DataFrame, source: PolygenicScoreSource, build: str | None, notes: Notes) -> pl.DataFrame:
    harmonised = "hm_pos" in frame.columns
    rsid, effect = _first(frame, "hm_rsID", "rsID"), pl.col("effect_allele").str.to_uppercase()
    other = _first(frame, "other_allele", "reference_allele", "hm_inferOtherAllele").str.to_uppercase()
    texts = {
        "weight": pl.col("effect_weight"),
        "pos": _first(frame, "hm_pos" if harmonised else "chr_position"),
        "frequency": _first(frame, "allelefrequency_effect"),
    }
    parsed = frame.select(
        FILE,
        ROW,
        pl.lit(source.name).alias("score"),
        pl.lit(build, dtype=pl.String).alias("build"),
        pl.when(rsid.str.contains(_RSID)).then(rsid).alias("rsid"),
        _first(frame, "hm_chr" if harmonised else "chr_name").alias("chrom"),
        effect.alias("effect_allele"),
        pl.when(other.str.contains(_ALLELE)).then(other).alias("other_allele"),
        *(text.alias(f"t_{name}") for name, text in texts.items()),
        *(_number(text).alias(name) for name, text in texts.items()),
    )
    _note_rows(parsed, notes)
    kinds = [name for name in ("weight_type",) if name in frame.columns]
    if kinds and frame.select(pl.col(kinds).str.to_uppercase().is_in(["OR", "HR"]).any()).item():
        notes.warning(f"{source.path}: weights are called OR or HR and are summed as they are, without a logarithm.")
    pos = parsed["pos"].cast(pl.Int64, strict=False)
    # mostly they have their usual names, which is quicker to see than to bring about
    chrom = parsed["chrom"] if _CHROMOSOMES.issuperset(parsed["chrom"].unique()) else chromosome()
    return parsed.with_columns(chrom, pos).select(FILE, ROW, *_SCHEMA)


def _first(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """Take the first of these columns that has a value."""
    present = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(present) if present else pl.lit(None, dtype=pl.String)


def _number(text: pl.Expr) -> pl.Expr:
    """Parse stripped text as finite numbers, as `values.parsed_numbers` does, for several columns in one go."""
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _note_rows(parsed: pl.DataFrame, notes: Notes) -> None:
    wrong: list[_Problem] = [
        ("fatal", column, "hold no number.", pl.col(f"t_{name}").is_not_null() & pl.col(name).is_null())
        for name, column in _NUMBERS.items()
    ]
    frequency, pos = pl.col("frequency"), pl.col("pos")
    nowhere = pl.col("rsid").is_null() & (pl.col("chrom").is_null() | pos.is_null())
    bases = pl.col("effect_allele").str.contains(_ALLELE)
    wrong += [
        ("fatal", "effect_weight", "have no weight.", pl.col("t_weight").is_null()),
        ("fatal", "effect_allele", "name no effect allele.", pl.col("effect_allele").is_null()),
        ("fatal", "allelefrequency_effect", "are no share from 0 to 1.", (frequency < 0) | (frequency > 1)),
        ("fatal", "chr_position", "are no whole position from 1.", (pos < 1) | (pos != pos.round())),
        ("warning", None, "name no variant (rsID, or chromosome and position) and can match none.", nowhere),
        ("warning", "effect_allele", "are no bases and can match no variant.", ~bases),
    ]
    _note_all(parsed, wrong, notes)


def _note_all(frame: pl.DataFrame, wrong: list[_Problem], notes: Notes) -> None:
    """Note the rows of each problem; all are looked for at once, since most files have none."""
    if not wrong:
        return
    met = frame.select(mask.any().alias(str(number)) for number, (_, _, _, mask) in enumerate(wrong)).row(0)
    for some, (severity, column, what, mask) in zip(met, wrong, strict=True):
        if some:
            notes.rows(severity, frame, frame.select(mask).to_series(), what, column=column)


def _without_copies(weights: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Keep the first of several weights of one allele; which of them was meant cannot be known."""
    place = pl.when(pl.col("pos").is_null()).then("rsid")
    unknown = pl.col("pos").is_null() & pl.col("rsid").is_null()
    key = pl.struct("chrom", "pos", place.alias("name"), "effect_allele", "other_allele")
    again = weights.select(~key.is_first_distinct() & ~unknown).to_series()
    what = "weigh an allele that stands above; the first weight is taken."
    if not again.any():
        return weights
    notes.rows("warning", weights, again, what, column="effect_allele")
    return weights.filter(~again)
