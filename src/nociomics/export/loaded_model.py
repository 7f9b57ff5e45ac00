"""An exported model in the hands of a Python program: harmonised rows or raw tables in, answers out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from nociomics.export.bundle import Bundle
from nociomics.export.gate import Admitted, Limits
from nociomics.export.prediction import predict_admitted

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

    PrepareTables = Callable[[Mapping[str, Any], Mapping[str, Any] | None, list[dict[str, Any]]], tuple[Any, Any]]


@dataclass(frozen=True)
class Answers:
    """Everything that a model says of some people.

    Attributes
    ----------
    predictions, effects, strata : DataFrame
        As in `tables.results.PREDICTIONS`, `EFFECTS` and `ASSIGNMENTS`. Numbers of a person whose ``status`` is not
        ``ok`` are null.
    notes : tuple of str
        What concerns the table as a whole, without any value: columns left out, inputs absent, remarks on raw tables.
    """

    predictions: pl.DataFrame
    effects: pl.DataFrame
    strata: pl.DataFrame
    notes: tuple[str, ...]


class LoadedModel:
    """An exported model; made by `nociomics.load_model`.

    Parameters
    ----------
    bundle : Bundle
        As loaded.
    prepare_tables : callable
        `nociomics.preparation.prepare_new_tables`: raw tables to features, and what was remarked.
    limits : Limits
        Most people and longest time of one answer.

    Examples
    --------
    A model of a run, and its own invented people::

        model = nociomics.load_model("results/demo/export/model")
        people, _ = golden_rows("results/demo/export/model")
        model.predict(people)
    """

    def __init__(self, bundle: Bundle, prepare_tables: PrepareTables, limits: Limits | None = None) -> None:
        self.bundle, self.limits = bundle, limits or Limits()
        self._prepare_tables = prepare_tables

    @property
    def schema(self) -> list[dict[str, Any]]:
        """One entry per input: its name, unit, kind, range or categories, ``missing_ok`` and usual values."""
        return copy.deepcopy(self.bundle.schema)

    @property
    def manifest(self) -> dict[str, Any]:
        """Format, study, versions, intended use, licence and hashes."""
        return copy.deepcopy(self.bundle.manifest)

    @property
    def treatments(self) -> list[str | None]:
        """Treatments that the model compares; ``[None]`` for a study without any."""
        return list(self.bundle.model.arms_)

    def predict(self, frame: Rows) -> pl.DataFrame:
        """Predict people under every treatment.

        Parameters
        ----------
        frame : DataFrame of polars or pandas, mapping of columns, or sequence of rows
            Harmonised rows, one per person: ``patient_id`` and features in the units of `schema`. An input that is
            absent or null counts as not measured.

        Returns
        -------
        DataFrame, one row per person and treatment
            As in `tables.results.PREDICTIONS`. ``status`` is ``ok``, or says by name why there are no numbers.

        Raises
        ------
        NociomicsError
            When the table as a whole cannot be taken; see `nociomics.export.gate.Gate.admit`.
        """
        return self._asked(frame)[1]

    def answer(self, frame: Rows) -> Answers:
        """Predict people, compare treatments and place people in strata; see `predict`."""
        admitted, predictions, effects = self._asked(frame)
        return Answers(predictions, effects, self.bundle.compiled.assign(admitted), admitted.notes)

    def _asked(self, frame: Rows) -> tuple[Admitted, pl.DataFrame, pl.DataFrame]:
        admitted = self.bundle.input_gate.admit(frame, self.limits)
        predictions, effects = predict_admitted(self.bundle, admitted, limits=self.limits)
        return admitted, predictions, effects

    def strata(self, frame: Rows) -> pl.DataFrame:
        """Place people in the strata of the study, as in `tables.results.ASSIGNMENTS`; null for who is not answered."""
        return self.bundle.compiled.assign(self.bundle.input_gate.admit(frame, self.limits))

    def explain(self, frame: Rows, seed: int | None = None) -> pl.DataFrame:
        """Say what moved each person's prediction away from the average training person's.

        Parameters
        ----------
        seed : int, optional
            Of the orders in which columns of a class model are switched. Default: the study's.

        Returns
        -------
        DataFrame, one row per person, treatment and model column
            As in `tables.results.SHAP_VALUES`. No rows while the model's gate for individual explanations is closed,
            and none for a person who is not answered.
        """
        from nociomics.explain.explanation_tables import shap_frame
        from nociomics.explain.shap_values import Explainer

        admitted = self.bundle.input_gate.admit(frame, self.limits)
        people = admitted.features.filter(pl.Series(admitted.answered))
        drawn_with = self.bundle.seed if seed is None else seed
        explainer = Explainer(self.bundle.model, self.bundle.background, drawn_with)
        allowed = bool(self.bundle.gate["individual_explanations"])
        asked = people if allowed else people.clear()
        return shap_frame(explainer.whole(explainer.encode(asked)), asked, self.bundle.model.arms_)

    def predict_tables(self, tables: Mapping[str, Any], study: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Predict people from raw tables, as ``nociomics predict`` does; see `answer_tables`."""
        return self.answer_tables(tables, study).predictions

    def answer_tables(self, tables: Mapping[str, Any], study: Mapping[str, Any] | None = None) -> Answers:
        """Answer people from raw tables: units, ids, scoring and pharmacogenes as for a study.

        Parameters
        ----------
        tables : mapping of str to table
            ``patients`` (needed), ``questionnaires``, ``biomarkers``, ``diplotypes``, ``treatment_history``,
            ``expression`` or ``blocks.<name>``: a table of polars or pandas, columns or rows, as their files would be.
            ``genotype`` takes the path of a file.
        study : mapping, optional
            How tables are to be understood, as under ``tables:`` of a study file, without paths:
            ``{"biomarkers": {"unit": {"crp": "mg/dL"}}}``.

        Raises
        ------
        NociomicsError
            When a table has a fatal problem; all of them are named.
        """
        features, notes = self._prepare_tables(tables, study, self.bundle.schema)
        found = self.answer(features)
        return Answers(found.predictions, found.effects, found.strata, (*notes, *found.notes))
