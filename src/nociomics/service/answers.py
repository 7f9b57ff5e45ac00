"""What the service answers: predictions, explanations, strata and drug advice, as JSON, from one loaded model."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from nociomics import __version__
from nociomics.errors import NociomicsError
from nociomics.explain.explanation_tables import base_frame, check_additive, shap_frame
from nociomics.explain.shap_values import Explainer
from nociomics.export.bundle import Bundle
from nociomics.export.gate import Admitted
from nociomics.export.gate import Limits as GateLimits
from nociomics.export.harm_weights import weigh_harm
from nociomics.export.prediction import predict_admitted
from nociomics.pharmacogenomics.assessment import assess
from nociomics.preparation import call_study_pharmacogenes, lacking_features, variants_of
from nociomics.service.champion import Champion
from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal
from nociomics.service.request_tables import folder_of, harmonised_rows, prepared_people, tables_of

MOST_EXPLAINED = 500
_EXPLAINER = "explainer"
_BUILDING = threading.Lock()


@dataclass(frozen=True)
class People:
    """People of one request, past the gate of the model.

    Attributes
    ----------
    admitted : Admitted
        Whom the gate lets through, with everybody's status.
    harm_weights : DataFrame, optional
        Their own weights of harm.
    remarks : list of dict
        What reading them remarked, without values: severity, table, column, message.
    safety_items : DataFrame, optional
        Answers that a clinician must see.
    """

    admitted: Admitted
    harm_weights: pl.DataFrame | None = None
    remarks: list[dict[str, Any]] = field(default_factory=list)
    safety_items: pl.DataFrame | None = None

    @property
    def features(self) -> pl.DataFrame:
        """Features of everybody, empty for whom the gate does not let through."""
        return self.admitted.features


def read_people(body: Mapping[str, Any], champion: Champion, limits: Limits) -> People:
    """Read the people of a request, from raw tables or harmonised rows, and pass them through the gate.

    Raises
    ------
    Refusal
        With everything that is wrong, in the words of `nociomics check`.
    """
    bundle = champion.bundle
    if ("rows" in body) == ("tables" in body):
        raise Refusal(422, "no_people", 'Send either "tables" (raw) or "rows" (harmonised), one of the two.')
    try:
        if "rows" in body:
            return People(_admitted_rows(bundle, body, limits))
        prepared = prepared_people(body, limits, variants_of(bundle.schema))
        admitted = bundle.input_gate.admit(prepared.features)
    except Refusal:
        raise
    except NociomicsError as error:
        raise Refusal(422, "unusable_tables", str(error)) from None
    remarks = [
        {"severity": one.severity, "table": one.table, "column": one.column, "message": one.message}
        for one in prepared.findings
    ]
    return People(admitted, prepared.harm_weights, remarks, prepared.safety_items)


def _admitted_rows(bundle: Bundle, body: Mapping[str, Any], limits: Limits) -> Admitted:
    try:
        return bundle.input_gate.admit(harmonised_rows(body, limits, bundle.input_gate.inputs))
    except UnicodeEncodeError:  # half a surrogate pair can stand in JSON and nowhere else
        raise Refusal(422, "bad_value", "rows: a column holds text that is no Unicode.") from None


def _predicted(people: People, champion: Champion, limits: Limits) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predict whom the gate let through, as `nociomics predict` does, within the time of a request."""
    bundle = champion.bundle
    try:
        return predict_admitted(bundle, people.admitted, limits=GateLimits(limits.rows, limits.seconds, limits.working))
    except NociomicsError as error:
        raise Refusal(504, "too_long", str(error)) from None


def predict(body: Mapping[str, Any], champion: Champion, limits: Limits) -> bytes:
    """Answer ``POST /predict``: the three tables that `nociomics predict` writes, as rows."""
    people = read_people(body, champion, limits)
    bundle = champion.bundle
    weight = _harm_weight(body)
    predictions, effects = _predicted(people, champion, limits)
    try:
        predictions = weigh_harm(predictions, effects, bundle, people.harm_weights, weight)
    except NociomicsError as error:
        raise Refusal(422, "no_harm_to_weigh", str(error)) from None
    strata = bundle.compiled.assign(people.admitted)
    champion.counts.add_admitted(people.admitted)
    return _joined(
        {
            "predictions": _rows(predictions),
            "effects": _rows(effects),
            "strata": _rows(strata),
            **_about(people, champion),
        }
    )


def strata(body: Mapping[str, Any], champion: Champion, limits: Limits) -> bytes:
    """Answer ``POST /strata``."""
    people = read_people(body, champion, limits)
    return _joined({"strata": _rows(champion.bundle.compiled.assign(people.admitted)), **_about(people, champion)})


def explain(body: Mapping[str, Any], champion: Champion, limits: Limits) -> bytes:
    """Answer ``POST /explain``: Shapley values of the model that predicts, checked to add up.

    While the gate for individual explanations is closed nobody's values are told; ``reasons`` says why.
    """
    people = read_people(body, champion, limits)
    bundle = champion.bundle
    if people.features.height > MOST_EXPLAINED:
        raise Refusal(413, "too_many_rows", f"At most {MOST_EXPLAINED} people are explained in one request.")
    explainer = _explainer(champion)
    arms = bundle.model.arms_
    bases = base_frame(explainer, arms)
    allowed = bool(bundle.gate["individual_explanations"])
    values = shap_frame(explainer.whole(explainer.encode(people.features[:0])), people.features[:0], arms)
    if allowed:
        predictions, _ = _predicted(people, champion, limits)
        fine = predictions.filter(pl.col("status") == "ok")
        answered = people.features.filter(pl.col("patient_id").is_in(fine["patient_id"].unique().to_list()))
        if answered.height:
            values = shap_frame(explainer.whole(explainer.encode(answered)), answered, arms)
            check_additive(values, bases, fine)
    return _joined(
        {
            "explanations": _rows(values),
            "base_values": _rows(bases),
            "allowed": _json(allowed),
            "reasons": _json([] if allowed else list(bundle.gate["reasons"])),
            **_about(people, champion),
        }
    )


def _explainer(champion: Champion) -> Explainer:
    """Make the explainer once for a model: its trees are made ready on first use."""
    with _BUILDING:
        if _EXPLAINER not in champion.ready:
            bundle = champion.bundle
            champion.ready[_EXPLAINER] = Explainer(bundle.model, bundle.background, bundle.seed)
    explainer: Explainer = champion.ready[_EXPLAINER]
    return explainer


def pgx(body: Mapping[str, Any], limits: Limits) -> bytes:
    """Answer ``POST /pgx``: calls and drug advice of the people in ``tables``, as `nociomics pgx` gives them.

    ``drugs`` (list) and ``indication`` may be named. Needs no model.
    """
    from nociomics.ingest.diplotypes import unreadable

    drugs, indication = body.get("drugs"), body.get("indication")
    if drugs is not None and not (isinstance(drugs, list) and all(isinstance(one, str) for one in drugs)):
        raise Refusal(422, "bad_drugs", "drugs: must be a list of names.")
    if indication is not None and not isinstance(indication, str):
        raise Refusal(422, "bad_indication", "indication: must be text.")
    try:
        _, frames = tables_of(_with_patients(body), limits)
        tables = _pgx_tables(frames)
        calls = call_study_pharmacogenes(tables)
        if calls is None:
            raise Refusal(422, "nothing_to_call", "tables: give diplotypes (patient_id, gene, diplotype).")
        outside = tables["diplotypes"]
        bad = outside.filter(unreadable(pl.col("gene"), pl.col("diplotype"))).height
        if bad:
            raise Refusal(
                422, "unreadable_diplotypes",
                f"diplotypes: {bad} calls cannot be read. Write both alleles, such as *1/*4 or *1x2/*4.",
            )  # fmt: skip
        found = assess(calls, indication=indication, drugs=drugs)
    except Refusal:
        raise
    except NociomicsError as error:
        raise Refusal(422, "unusable_tables", str(error)) from None
    return _joined({"calls": _rows(found.calls), "recommendations": _rows(found.recommendations)})


def _with_patients(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the people from their diplotypes where no table of patients was sent."""
    tables = body.get("tables")
    given = tables.get("diplotypes") if isinstance(tables, dict) else None
    rows = given.get("rows") if isinstance(given, dict) else given
    if not isinstance(tables, dict) or "patients" in tables or not isinstance(rows, list):
        return body
    ids = dict.fromkeys(
        one["patient_id"] for one in rows if isinstance(one, dict) and isinstance(one.get("patient_id"), str | int)
    )
    return {**body, "tables": {**tables, "patients": [{"patient_id": one} for one in ids]}}


def _pgx_tables(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Read people and outside calls as the study's reader does, from a folder in memory."""
    from nociomics.ingest.study_tables import read_study, require_sound
    from nociomics.tables.study import Study

    wanted = [name for name in ("patients", "diplotypes", "treatment_history") if name in frames]
    if "diplotypes" not in wanted:
        raise Refusal(422, "nothing_to_call", "tables: give diplotypes (patient_id, gene, diplotype).")
    study = Study(study="request", tables={name: name for name in wanted})  # type: ignore[arg-type]
    with folder_of({name: frames[name] for name in wanted}) as folder:
        read = read_study(study, folder, for_prediction=True)
    require_sound(read.findings)
    found = {name: getattr(read, name) for name in wanted}
    return {name: frame for name, frame in found.items() if frame is not None}


def model(champion: Champion) -> dict[str, Any]:
    """Answer ``GET /model``: what is served, for whom, and what may come in."""
    bundle = champion.bundle
    manifest = {name: value for name, value in bundle.manifest.items() if name != "files"}
    return {
        "name": champion.name,
        "digest": champion.digest,
        "loaded_at": champion.loaded_at,
        "service": {"nociomics": __version__},
        "manifest": manifest,
        "treatments": [arm for arm in bundle.model.arms_ if arm is not None],
        "target": bundle.model.target.model_dump(),
        "gate": _finite(bundle.gate),
        "schema": _finite(bundle.schema),
        "card": champion.card,
    }


def _finite(value: Any) -> Any:
    """Replace what JSON does not have by null."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harm_weight(body: Mapping[str, Any]) -> float | None:
    weight = body.get("harm_weight")
    if weight is None:
        return None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise Refusal(422, "bad_harm_weight", "harm_weight: must be a number of 0 or more.")
    return float(weight)


def _about(people: People, champion: Champion) -> dict[str, bytes]:
    """Tell what else must be known to use the answer."""
    lacking = lacking_features(champion.bundle.schema, people.admitted.brought)
    safety = people.safety_items
    return {
        "model": _json({"name": champion.name, "digest": champion.digest}),
        "remarks": _json(people.remarks),
        "safety_items": b"[]" if safety is None else _rows(safety),
        "notes": _json(people.admitted.notes),
        "lacking": _json({name: {"lacking": few, "of": every} for name, (few, every) in lacking.items()}),
    }


def _rows(frame: pl.DataFrame) -> bytes:
    """Write a table as JSON rows; a number that is not finite becomes null, since JSON has none."""
    numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
    odd = [name for name in numbers if not np.isfinite(float(frame[name].sum() or 0.0))]
    if odd:
        frame = frame.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in odd)
    return frame.write_json().encode() if frame.height else b"[]"


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _joined(parts: Mapping[str, bytes]) -> bytes:
    """Put JSON texts together under their names."""
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), text) for name, text in parts.items()) + b"}"
