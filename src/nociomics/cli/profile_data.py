"""Each patient's rows of every result, for the patient pages: read by chunks of people, whatever the cohort's size."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nociomics.errors import NociomicsError, TableError
from nociomics.tables.part import WHOLE, Part

if TYPE_CHECKING:
    import polars as pl

    from nociomics.report.profile_strata import Dimension
    from nociomics.tables.contract import Contract

_LOG = logging.getLogger(__name__)
MOST_PAGES = 2000  # people of a study that get a page each unasked
_ROWS_AT_ONCE = 1_000_000  # Shapley values of one chunk of people, some 100 bytes each
_VALUES_AT_ONCE = 5_000_000  # features of one chunk of people
_NAMED_AT_MOST = 5


def wanted_people(people: Sequence[str], ids: Sequence[str], most: int | None) -> list[str]:
    """Choose who gets a page: those asked for, or so many in the order of the ids, or everyone of a small cohort.

    Parameters
    ----------
    people : sequence of str
        Everyone in the study.
    ids : sequence of str
        Asked for by name.
    most : int or None
        Asked for by number.

    Raises
    ------
    NociomicsError
        When a person who was asked for is not in the study.

    Examples
    --------
    >>> wanted_people(["P2", "P1", "P3"], [], 2), wanted_people(["P2", "P1"], ["P2", "P2"], None)
    (['P1', 'P2'], ['P2'])
    """
    if ids:
        known, asked = set(people), list(dict.fromkeys(ids))
        unknown = [name for name in asked if name not in known]
        if unknown:
            more = f" and {len(unknown) - _NAMED_AT_MOST} more" if len(unknown) > _NAMED_AT_MOST else ""
            named = ", ".join(f'"{name}"' for name in unknown[:_NAMED_AT_MOST])
            raise NociomicsError(
                f"{len(unknown)} of the {len(asked)} people asked for are not in this study: {named}{more}. "
                "No page was written. Give ids as the patients table has them, in full and with upper and lower case."
            )
        return asked
    if most is not None:
        return sorted(people)[:most]
    if len(people) > MOST_PAGES:
        _LOG.warning(
            "no patient page is written unasked for %d people (more than %d): name them with --ids, or as "
            "profiles.ids in the study, or ask for a number with profiles.people",
            len(people),
            MOST_PAGES,
        )
        return []
    return sorted(people)


def profile_pages(config: Any, results: Path, ids: Sequence[str] = (), part: Part = WHOLE) -> Iterator[tuple[str, str]]:
    """Yield a file name and a page for each patient who gets one.

    Parameters
    ----------
    config : Config
        The study with its settings.
    results : Path
        Folder of its results.
    ids : sequence of str
        People asked for; without them the study's own settings decide.
    part : Part
        Which of those people.

    Raises
    ------
    NociomicsError
        When a person who was asked for is not in the study.
    """
    from nociomics.report.pages import patient_profile
    from nociomics.report.pgx_card import card_names
    from nociomics.tables.progress import Progress

    people = _column(results / "harmonised" / "features.parquet", "patient_id")
    wanted = part.take(wanted_people(people, ids or config.profiles.ids, config.profiles.people))
    names = card_names(people)
    progress = Progress("patient pages", "pages", total=len(wanted))
    if wanted:
        shared = _shared(config, results, people, wanted)
        for chunk in _chunks(results, wanted, len(people)):
            for patient, data in _of_chunk(shared, results, chunk):
                yield names[patient], patient_profile(data)
                progress.advance(1)
    _LOG.info("%d patient pages of %d people", len(wanted), len(people))


@dataclass(frozen=True)
class _Shared:
    """What is the same on all pages, and what is looked up by person without reading tables again."""

    told: dict[str, Any]
    modalities: dict[str, list[str]]
    percentiles: dict[str, dict[str, float | None]]
    similar: dict[str, int | None]
    strata: _Strata


def _shared(config: Any, results: Path, people: Sequence[str], wanted: Sequence[str]) -> _Shared:
    from nociomics.cli.strata_data import optional_table
    from nociomics.report.profile import CatalogueRows
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE
    from nociomics.tables.results import ARMS, BASE_VALUES, EXPLANATION_STABILITY

    catalogue = read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    place = {patient: row for row, patient in enumerate(people)}
    rows = [place[patient] for patient in wanted]
    strata = _strata(results, wanted)
    told: dict[str, Any] = {"study": config.study, "target": config.target, "strata_cluster": strata.cluster}
    laid_out = CatalogueRows.of(catalogue)
    modalities = {name: [row["feature"] for row in found] for name, found in laid_out.by_modality.items()}
    told |= {"catalogue": catalogue, "catalogue_rows": laid_out}
    if config.target is not None:
        explanations = results / "explanations"
        told |= {
            "gate": read_json(results / "evaluation" / "gate.json"),
            "metrics": read_json(results / "evaluation" / "metrics.json"),
            "arms": read_table(results / "evaluation" / "arms.parquet", ARMS),
            "base": read_table(explanations / "base.parquet", BASE_VALUES),
            "stability": optional_table(explanations / "stability.parquet", EXPLANATION_STABILITY),
        }
    return _Shared(told, modalities, _percentiles(results, catalogue, wanted, rows), strata.similar, strata)


def _chunks(results: Path, wanted: Sequence[str], people: int) -> Iterator[Sequence[str]]:
    """Cut the people so that one chunk's values stay small, however many features there are."""
    import polars as pl

    per_person = 1.0
    shap = results / "explanations" / "shap.parquet"
    if shap.exists():
        per_person = pl.scan_parquet(shap).select(pl.len()).collect().item() / max(people, 1)
    width = len(pl.read_parquet_schema(results / "harmonised" / "features.parquet"))
    step = max(1, min(int(_ROWS_AT_ONCE / max(per_person, 1.0)), _VALUES_AT_ONCE // max(width, 1)))
    for first in range(0, len(wanted), step):
        yield wanted[first : first + step]


def _of_chunk(shared: _Shared, results: Path, chunk: Sequence[str]) -> Iterator[tuple[str, Any]]:
    from nociomics.report.pages import PatientProfileData
    from nociomics.tables.harmonised import FEATURES

    rows = _rows_by_patient(results, chunk)
    dates = _dates(results, chunk)
    features = _rows_of(results / "harmonised" / "features.parquet", FEATURES, "patient_id", chunk)
    own_features = {row["patient_id"]: row for row in features.iter_rows(named=True)}
    for patient in chunk:
        own = own_features[patient]
        assignment = rows["assignment"].get(patient)
        yield (
            patient,
            PatientProfileData(
                patient_id=patient,
                features=own,
                percentiles=shared.percentiles[patient],
                pgx_calls=rows["calls"].get(patient),
                pgx_recommendations=rows["recommendations"].get(patient),
                assignment=assignment.row(0, named=True) if assignment is not None else None,
                predictions=rows["predictions"].get(patient),
                effects=rows["effects"].get(patient),
                shap=rows["shap"].get(patient),
                safety=rows["safety"].get(patient),
                dimensions=shared.strata.dimensions(patient),
                pain_mechanisms=rows["mechanisms"].get(patient),
                missing_modalities=_missing_modalities(own, shared.modalities),
                n_similar=shared.similar.get(patient),
                dates=dates.get(patient, {}),
                **shared.told,
            ),
        )


def _rows_of(path: Path, contract: Contract, key: str, ids: Sequence[str]) -> pl.DataFrame:
    """Read some people's rows of a table, and check these against its contract."""
    import polars as pl

    try:
        frame = pl.scan_parquet(path).filter(pl.col(key).is_in(list(ids))).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{path}: cannot be read as Parquet ({type(error).__name__}).") from error
    return contract.check(frame, str(path))


def _column(path: Path, name: str) -> list[str]:
    import polars as pl

    try:
        return [str(value) for value in pl.scan_parquet(path).select(name).collect()[name]]
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{path}: cannot be read as Parquet ({type(error).__name__}).") from error


def _rows_by_patient(results: Path, ids: Sequence[str]) -> dict[str, dict[str, pl.DataFrame]]:
    """Each table's rows by person; a table that the study did not give has no rows of anyone."""
    from nociomics.tables import results as contracts
    from nociomics.tables.harmonised import SAFETY_ITEMS

    needed = {
        "assignment": ("strata/assignments.parquet", contracts.ASSIGNMENTS, "patient_id"),
        "safety": ("harmonised/safety_items.parquet", SAFETY_ITEMS, "patient_id"),
    }
    optional = {
        "predictions": ("response/predictions.parquet", contracts.PREDICTIONS, "patient_id"),
        "effects": ("response/effects.parquet", contracts.EFFECTS, "patient_id"),
        "shap": ("explanations/shap.parquet", contracts.SHAP_VALUES, "patient_id"),
        "calls": ("pgx/calls.parquet", contracts.PGX_CALLS, "sample"),
        "recommendations": ("pgx/recommendations.parquet", contracts.PGX_RECOMMENDATIONS, "sample"),
        "mechanisms": ("strata/pain_mechanisms.parquet", contracts.PAIN_MECHANISMS, "patient_id"),
    }
    found: dict[str, dict[str, pl.DataFrame]] = {name: {} for name in (*needed, *optional)}
    for name, (path, contract, key) in {**needed, **optional}.items():
        if name in needed or (results / path).exists():
            frame = _rows_of(results / path, contract, key, ids)
            parts = frame.partition_by(key, as_dict=True, maintain_order=True)
            found[name] = {str(patient[0]): part for patient, part in parts.items()}
    return found


def _dates(results: Path, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """When each person answered each questionnaire and gave each sample, by group; what has no date is left out."""
    import polars as pl

    from nociomics.knowledge.biomarker import load_biomarkers

    groups = {marker.id: marker.feature for marker in load_biomarkers().values()}
    found: dict[str, dict[str, str]] = {}
    answers = pl.col("visit") == "baseline"
    places = [
        ("responses", "answered_at", "instrument", answers),
        ("biomarkers", "collected_at", "analyte", pl.lit(True)),
    ]
    for table, column, group, kept in places:
        path = results / "ingested" / f"{table}.parquet"
        if not path.exists() or column not in pl.read_parquet_schema(path):
            continue
        day = pl.col(column).cast(pl.String).str.head(10)
        rows = (
            pl.scan_parquet(path)
            .filter(pl.col("patient_id").is_in(list(ids)) & kept & pl.col(column).is_not_null())
            .group_by("patient_id", group)
            .agg(first=day.min(), last=day.max())
            .collect()
        )
        for patient, name, first, last in rows.iter_rows():
            told = first if first == last else f"{first} to {last}"
            found.setdefault(patient, {})[groups.get(name, name) if table == "biomarkers" else name] = told
    return found


@dataclass(frozen=True)
class _Strata:
    """What of the strata belongs on every page: dimensions with percentiles, who is alike, whether it is a cluster."""

    loads_on: list[list[str]]
    percentiles: dict[str, tuple[float, ...]]
    similar: dict[str, int | None]
    cluster: str | None

    def dimensions(self, patient: str) -> list[Dimension]:
        from nociomics.report.profile_strata import Dimension

        own = self.percentiles.get(patient)
        return [
            Dimension(f"factor {place + 1}", names, None if own is None else own[place])
            for place, names in enumerate(self.loads_on)
        ]


def _strata(results: Path, wanted: Sequence[str]) -> _Strata:
    import numpy as np

    from nociomics.cli.strata_data import optional_table
    from nociomics.models.stratification import StratumModel
    from nociomics.report.similar_people import similar_counts
    from nociomics.report.strata_inputs import factor_words
    from nociomics.report.strata_words import cluster_sentence
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.results import FACTOR_SCORES, STRATA_ASSOCIATIONS

    folder = results / "strata"
    scores = read_table(folder / "factor_scores.parquet", FACTOR_SCORES)
    names = [name for name in scores.columns if name != "patient_id"]
    place = {patient: row for row, patient in enumerate(scores["patient_id"])}
    known = [patient for patient in wanted if patient in place]
    rows = [place[patient] for patient in known]
    percentiles = mid_ranks(scores, names, rows)
    numbers = scores.select(names).to_numpy().astype(float) if names else np.empty((scores.height, 0))
    associations = optional_table(folder / "associations.parquet", STRATA_ASSOCIATIONS)
    return _Strata(
        factor_words(StratumModel.from_dict(read_json(folder / "model.json"))),
        dict(zip(known, zip(*percentiles.values(), strict=True), strict=True)) if names else {},
        dict(zip(known, similar_counts(numbers, rows), strict=True)),
        cluster_sentence(read_json(folder / "summary.json"), associations),
    )


def _percentiles(
    results: Path, catalogue: pl.DataFrame, wanted: Sequence[str], rows: Sequence[int]
) -> dict[str, dict[str, float | None]]:
    """Mid-rank percentile within the cohort of each wanted person, for features that a page may show."""
    import polars as pl

    shown = catalogue.filter(
        pl.col("modality").is_in(["clinical", "questionnaires", "biomarkers"]) & (pl.col("kind") == "numeric")
    )["feature"].to_list()
    frame = pl.scan_parquet(results / "harmonised" / "features.parquet").select(shown).collect()
    columns = mid_ranks(frame, shown, rows)
    people = zip(*columns.values(), strict=True) if columns else (() for _ in wanted)
    return {patient: dict(zip(columns, values, strict=True)) for patient, values in zip(wanted, people, strict=True)}


def mid_ranks(
    frame: pl.DataFrame, names: Sequence[str], rows: Sequence[int] | None = None
) -> dict[str, list[float | None]]:
    """Percentile of some rows in some columns, 0 to 100; equal values share one, nulls stay null."""
    import polars as pl

    found: dict[str, list[float | None]] = {}
    for name in names:
        values = frame[name]
        if not values.dtype.is_numeric():
            values = values.cast(pl.Float64, strict=False)
        ranks = (values.rank("average") - 0.5) / max(values.count(), 1) * 100
        found[name] = (ranks if rows is None else ranks.gather(list(rows))).to_list()
    return found


def _missing_modalities(own: dict[str, Any], rows: dict[str, list[str]]) -> list[str]:
    """Modalities of the study of which this person has nothing."""
    return sorted(name for name, features in rows.items() if all(own[feature] is None for feature in features))
