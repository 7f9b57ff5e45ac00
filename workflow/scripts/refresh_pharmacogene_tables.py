"""Compare the shipped pharmacogene tables with files downloaded from CPIC, and take over what changed.

python workflow/scripts/refresh_pharmacogene_tables.py DIR [--write --version 2026-03]

DIR holds CPIC's workbooks as they were downloaded by hand (nothing is fetched here), known by their content:

- allele definition table: "GENE: CYP2C9", rows down to "rsID", then a row per allele; an empty cell is the reference;
- allele functionality reference: "GENE: CYP2C9", then a header: allele, activity value, clinical function;
- diplotype-phenotype table: a header "CYP2C9 Diplotype", the phenotype and the score of every pair.

Differences are printed per gene as added, gone and changed. With ``--write``, functions and definitions are replaced
for the genes that had a file. Pairs are only checked against the rules, which a person must change; a position that the
tables lack needs its place in GRCh37 and is named, not guessed, and its gene's definitions are then left as they are.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import fastexcel
import polars as pl

from nociomics.knowledge.pharmacogene import STAR_GENES, load_allele_definitions, load_variants
from nociomics.pharmacogenomics.diplotype import DiplotypeError, allele_order, parse_diplotype

SHIPPED = Path(__file__).resolve().parents[2] / "src/nociomics/knowledge/pgx"
_GENE = re.compile(r"gene:\s*([\w-]+)", re.IGNORECASE)
_EITHER = {"R": "A|G", "Y": "C|T", "S": "C|G", "W": "A|T", "K": "G|T", "M": "A|C"}
Sheet = list[list[str]]
Facts = dict[tuple[str, ...], tuple[str | None, ...]]


@dataclass
class Download:
    """What the workbooks say: per table the genes that had a file, and the facts by key."""

    functions: dict[str, Facts] = field(default_factory=dict)
    definitions: dict[str, Facts] = field(default_factory=dict)
    diplotypes: dict[str, Facts] = field(default_factory=dict)
    by_hand: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def read_download(folder: Path) -> Download:
    """Read every workbook of a folder; one that is none of the three kinds is named in ``unknown``."""
    found = Download()
    for path in sorted(folder.rglob("*.xlsx")):
        book = fastexcel.read_excel(path)
        sheets = [_cells(book, name) for name in book.sheet_names]
        if not any(_take(sheet, found) for sheet in sheets):
            found.unknown.append(path.name)
    return found


def _cells(book: fastexcel.ExcelReader, name: str) -> Sheet:
    frame = book.load_sheet(name, header_row=None, dtypes="string").to_polars()
    return [["" if cell is None else str(cell).strip() for cell in row] for row in frame.iter_rows()]


def _take(sheet: Sheet, found: Download) -> bool:
    """Read one sheet into what was found; whether it was of a known kind and gene."""
    first = next((row[0] for row in sheet if row and row[0]), "")
    if first.endswith(" Diplotype"):
        gene = first.removesuffix(" Diplotype").strip()
        reader, table = _diplotypes, found.diplotypes
    else:
        named = _GENE.match(first)
        gene = named.group(1) if named else ""
        is_function = any(row[0].startswith("Allele/cDNA") for row in sheet)
        reader, table = (_functions, found.functions) if is_function else (_definitions, found.definitions)
    if gene not in STAR_GENES:
        return False
    table[gene] = reader(gene, sheet, found)
    return bool(table[gene])


def _column(header: list[str], word: str) -> int:
    return next(i for i, name in enumerate(header) if word in name.lower())


def _functions(gene: str, sheet: Sheet, _: Download) -> Facts:
    start = next(i for i, row in enumerate(sheet) if row[0].startswith("Allele/cDNA"))
    value, function = _column(sheet[start], "activity value"), _column(sheet[start], "clinical functional status")
    return {
        (gene, row[0]): (row[function].capitalize(), _number(row[value]))
        for row in sheet[start + 1 :]
        if row[0].startswith("*") and row[function]
    }


def _number(text: str) -> str | None:
    """Write a value as the tables do: 1.0, ≥3.0, n/a; None where there is none."""
    open_end, plain = ("≥" if text.startswith("≥") else ""), text.removeprefix("≥")
    if not plain:
        return None
    return f"{open_end}{float(plain)}" if re.fullmatch(r"\d+(\.\d+)?", plain) else plain.lower()


def _definitions(gene: str, sheet: Sheet, found: Download) -> Facts:
    names = next((row for row in sheet if row[0].lower() == "rsid"), None)
    starts = [i for i, row in enumerate(sheet) if row[0] == f"{gene} Allele"]
    if names is None or not starts:
        return {}
    places = next((row for row in sheet if "NC_" in row[0]), [""] * len(names))
    columns = {i: _known_position(gene, names[i], places[i]) for i in range(1, len(names)) if names[i] or places[i]}
    by_hand = found.by_hand.setdefault(gene, [])
    by_hand += [f"position {names[i] or places[i]} is in no table" for i, rsid in columns.items() if rsid is None]
    facts: Facts = {}
    for row in _until_notes(sheet[starts[0] + 1 :]):
        for i, rsid in columns.items():
            if rsid is None or not row[i]:
                continue
            bases = _EITHER.get(row[i], row[i])
            if row[0] == _reference_allele(gene) and row[i] == bases:
                continue  # the reference row spells out what every other allele leaves empty
            if re.fullmatch(r"[ACGT](\|[ACGT])*", bases):
                facts[gene, row[0], rsid] = (bases,)
            else:
                facts[gene, row[0], rsid] = (None,)
    return facts


@cache
def _reference_allele(gene: str) -> str:
    rows = load_allele_definitions().filter(gene=gene, kind="reference_row")
    return str(rows["allele"][0])


def _until_notes(rows: Sheet) -> Iterator[list[str]]:
    for row in rows:
        if row[0].upper().startswith("NOTES"):
            return
        if row[0].startswith("*"):
            yield row


def _known_position(gene: str, rsid: str, place: str) -> str | None:
    """Return the name of a position in our tables, by its number or by its place in GRCh38."""
    known = load_variants().filter(gene=gene)
    if rsid in known["rsid"]:
        return rsid
    number = re.search(r"g\.(\d+)", place)
    at = known.filter(pl.col("pos_grch38") == int(number.group(1))) if number else known.clear()
    return str(at["rsid"][0]) if at.height == 1 else None


def _diplotypes(gene: str, sheet: Sheet, _: Download) -> Facts:
    start = next(i for i, row in enumerate(sheet) if row[0] == f"{gene} Diplotype")
    phenotype, score = _column(sheet[start], "phenotype summary"), _column(sheet[start], "activity score")
    facts: Facts = {}
    for row in sheet[start + 1 :]:
        if "/" in row[0]:
            word = row[phenotype].removeprefix(gene).strip()
            facts[gene, row[0]] = (word, _number(row[score]))
    return facts


def shipped_facts(table: str, gene: str) -> Facts:
    """Return what the package ships for one gene, in the form of a download; indels are not spelled there alike."""
    frame = pl.read_csv(SHIPPED / f"{table}.csv", infer_schema=False).filter(pl.col("gene") == gene)
    if table == "allele_functions":
        rows = frame.select("gene", "allele", "clinical_function", "activity_value").iter_rows()
        return {(g, allele): (function, value) for g, allele, function, value in rows}
    frame = frame.filter(pl.col("kind") == "small_variant")
    return {
        (g, a, r): (bases,) for g, a, r, bases in frame.select("gene", "allele", "rsid", "allele_bases").iter_rows()
    }


def differences(old: Facts, new: Facts) -> dict[str, list[str]]:
    """Say what was added, is gone, and changed; a fact that the download spells in another way is not compared."""
    unread = {key for key, value in new.items() if value == (None,)}
    both = (old.keys() & new.keys()) - unread
    return {
        "added": [f"{_name(key)} {_text(new[key])}" for key in _ordered(new.keys() - old.keys())],
        "gone": [_name(key) for key in _ordered(old.keys() - new.keys())],
        "changed": [f"{_name(k)} {_text(old[k])} -> {_text(new[k])}" for k in _ordered(both) if old[k] != new[k]],
    }


def _ordered(keys: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return sorted(keys, key=lambda key: (allele_order(key[1]), key))


def _name(key: tuple[str, ...]) -> str:
    return " ".join(key[1:])


def _text(value: tuple[str | None, ...]) -> str:
    return ", ".join(part if part is not None else "-" for part in value)


def pairs_that_differ(facts: Facts) -> list[str]:
    """List the pairs to which our functions and rules give another phenotype or score than the download."""
    wrong = []
    for (gene, pair), (phenotype, score) in facts.items():
        try:
            call = parse_diplotype(pair, gene)
        except DiplotypeError as error:
            wrong.append(f"{pair} cannot be read: {error.reason}")
            continue
        # A gene without scores has n/a or nothing there, by the age of the file.
        ours = (call.phenotype, call.score_text)
        if ours[0] != phenotype or (call.score_text is not None and call.score_text != score):
            wrong.append(f"{pair} {_text((phenotype, score))}, ours {_text(ours)}")
    return wrong


def replace_rows(table: str, genes: dict[str, Facts], version: str) -> None:
    """Write a table with the rows of these genes replaced; a row whose facts are the same stays as it is."""
    path = SHIPPED / f"{table}.csv"
    frame = pl.read_csv(path, infer_schema=False)
    keys = ["gene", "allele"] if table == "allele_functions" else ["gene", "allele", "rsid"]
    values = ["clinical_function", "activity_value"] if table == "allele_functions" else ["allele_bases"]
    rows: list[dict[str, str | None]] = []
    seen: set[tuple[str, ...]] = set()
    for row in frame.iter_rows(named=True):
        facts = genes.get(row["gene"])
        if facts is None or row.get("kind") == "reference_row":
            rows.append(row)
            continue
        key = tuple(row[name] for name in keys)
        if key in facts:
            seen.add(key)
            rows.append(_renewed(row, dict(zip(values, facts[key], strict=True)), version))
    for facts in genes.values():
        for key in _ordered(facts.keys() - seen):
            row = dict.fromkeys(frame.columns) | dict(zip(keys, key, strict=True))
            rows.append(_renewed(row, dict(zip(values, facts[key], strict=True)), version))
    text = pl.DataFrame(rows, schema=frame.schema, orient="row").write_csv()
    _write_whole(path, text)


def _renewed(row: dict[str, str | None], values: dict[str, str | None], version: str) -> dict[str, str | None]:
    spelled_otherwise = values == {"allele_bases": None} and row["allele_bases"] is not None
    if spelled_otherwise or all(row[name] == value for name, value in values.items()):
        return row
    new = row | values | {"version": version, "source": f"CPIC file, downloaded for {version}"}
    if "allele_bases" in values:
        new |= {"kind": "small_variant", "required": _required(str(row["rsid"]), str(values["allele_bases"]))}
    return new


def _required(rsid: str, bases: str) -> str:
    if "|" in bases:
        return "optional_either"
    reference = load_variants().row(by_predicate=pl.col("rsid") == rsid, named=True)["ref_grch38"]
    return "ref_required" if bases == reference else "required"


def _write_whole(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8", newline="") as draft:
        draft.write(text)
    os.replace(draft.name, path)


def report(found: Download) -> list[str]:
    """Return the lines that tell what the download says otherwise."""
    lines = [
        f"{name}: none of the three kinds of workbook, or of a gene without star alleles here" for name in found.unknown
    ]
    for table, genes in (("allele_functions", found.functions), ("allele_definitions", found.definitions)):
        for gene, facts in genes.items():
            told = differences(shipped_facts(table, gene), facts)
            lines.append(f"{table} {gene}: " + ", ".join(f"{len(rows)} {kind}" for kind, rows in told.items()))
            lines += [f"  {kind}: {row}" for kind, rows in told.items() for row in rows]
    for gene, facts in found.diplotypes.items():
        wrong = pairs_that_differ(facts)
        lines.append(f"diplotypes {gene}: {len(facts)} pairs, {len(wrong)} differ from our rules")
        lines += [f"  {row}" for row in wrong]
    return lines + [f"by hand, {gene}: {row}" for gene, rows in found.by_hand.items() for row in rows]


def unwritable(found: Download) -> dict[str, str]:
    """Return the genes whose definitions must be changed by hand, and why."""
    reasons = {gene: rows[0] for gene, rows in found.by_hand.items() if rows}
    for gene, facts in found.definitions.items():
        old = shipped_facts("allele_definitions", gene)
        odd = [key for key, value in facts.items() if value == (None,) and key not in old]
        if odd:
            reasons.setdefault(gene, f"{_name(odd[0])} is not spelled as bases")
    return reasons


def main(arguments: list[str] | None = None) -> int:
    """Show the differences, and write when asked; 1 when something is left to do by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--write", action="store_true", help="replace the shipped rows of the genes that have a file")
    parser.add_argument("--version", help="state of the files, such as 2026-03; needed to write")
    asked = parser.parse_args(arguments)
    if asked.write and not asked.version:
        parser.error("--write needs --version: every row says how old it is")
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is no folder")
    found = read_download(asked.folder)
    print("\n".join(report(found)) or "No workbook (*.xlsx) of CPIC was found.")
    left = unwritable(found)
    if asked.write:
        replace_rows("allele_functions", found.functions, asked.version)
        sound = {gene: facts for gene, facts in found.definitions.items() if gene not in left}
        replace_rows("allele_definitions", sound, asked.version)
        print(
            f"Written: {len(found.functions)} genes' functions, {len(sound)} genes' definitions. Change TABLE_VERSION."
        )
    for gene, why in left.items():
        print(f"{gene}: definitions not taken over, {why}.")
    return 1 if left or found.unknown else 0


if __name__ == "__main__":
    sys.exit(main())
