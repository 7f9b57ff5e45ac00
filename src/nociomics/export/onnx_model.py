"""The second export: expectations as an ONNX graph made of the declared parameters, kept only where it agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.export.onnx_graph import Graph
from nociomics.export.packed_trees import trees_of
from nociomics.models.arm_learners import LinearArms, TreeArms
from nociomics.models.class_model import ClassModel
from nociomics.models.feature_blocks import FeatureBlocks
from nociomics.models.value_model import ValueModel

ONNX_TOLERANCE = 1e-5
ONNX = "model.onnx"
_AT_A_TIME = 4_000


def write_onnx(folder: Path, bundle: Any, features: pl.DataFrame) -> dict[str, Any]:
    """Write ``model.onnx`` when it gives the bundle's expectations for every training person, else say why not.

    Parameters
    ----------
    folder : Path
        Of the bundle.
    bundle : Bundle
        Not yet written.
    features : DataFrame, one row per training person
        As in `FEATURES`.

    Returns
    -------
    dict
        ``written``, ``reason`` (null when written), ``largest_difference`` over ``rows`` training people,
        ``inputs`` (names of the columns of the tensors ``numbers`` and ``labels``) and ``output``: ``expected``
        (people, treatments) in points, or ``probabilities`` (people, treatments, classes). Intervals, strata, the
        chance of a response and the gate are not in it.
    """
    told: dict[str, Any] = {
        "written": False,
        "reason": None,
        "largest_difference": None,
        "rows": features.height,
        "tolerance": ONNX_TOLERANCE,
    }
    try:
        import onnxruntime
        from onnx import save_model
    except ImportError:
        return {**told, "reason": "onnx and onnxruntime were not installed (pip install 'nociomics[onnx]')"}
    if isinstance(bundle.model, ClassModel) and bundle.model.trees_:
        return {
            **told,
            "reason": "the class model counts boosted trees, which are not translated",
        }
    if not bundle.model.blocks_.columns_:
        return {**told, "reason": "the model reads no column"}
    graph, names, output = _graph_of(bundle)
    proto = graph.model(output)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    away = _largest_difference(session, bundle, features, names)
    told |= {"largest_difference": away, "inputs": names, "output": output}
    if not away <= ONNX_TOLERANCE:
        return {**told, "reason": f"its answers differ by up to {away:.1e}; at most {ONNX_TOLERANCE:g} is allowed"}
    save_model(proto, str(folder / ONNX))
    return {**told, "written": True}


def _largest_difference(session: Any, bundle: Any, features: pl.DataFrame, names: dict[str, list[str]]) -> float:
    admitted, largest = bundle.input_gate.admit(features), 0.0
    for start in range(0, features.height, _AT_A_TIME):
        people = admitted.part(slice(start, start + _AT_A_TIME)).features
        encoded = bundle.model.encode(people)
        ours = (
            bundle.model.expected(encoded)
            if isinstance(bundle.model, ValueModel)
            else bundle.model.probabilities(encoded)
        )
        theirs = session.run(None, tensors(people, names))[0]
        largest = max(largest, float(np.abs(theirs - ours).max(initial=0.0)))
        if np.isnan(theirs).any() or np.isnan(ours).any():
            return float("inf")
    return largest


def tensors(people: pl.DataFrame, names: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Lay people out as the graph's inputs: numbers with NaN and labels with "" where not measured."""
    held = set(people.columns)
    numbers = np.full((people.height, len(names["numbers"])), np.nan)
    for place, name in enumerate(names["numbers"]):
        if name in held:
            numbers[:, place] = people[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    laid = {"numbers": numbers}
    if names["labels"]:
        texts = [
            people[name].fill_null("").to_list() if name in held else [""] * people.height for name in names["labels"]
        ]
        laid["labels"] = np.array(texts, dtype=object).T
    return laid


def _graph_of(bundle: Any) -> tuple[Graph, dict[str, list[str]], str]:
    model, blocks = bundle.model, bundle.model.blocks_
    numbers = sorted({name for part in blocks.parts_ for name in part.features})
    labels = sorted({*blocks.categories_, *(part.within for part in blocks.parts_ if part.within)})
    graph = Graph(len(numbers), len(labels))
    encoded = _encoded(graph, blocks, numbers, labels)
    if isinstance(model, ValueModel):
        return graph, {"numbers": numbers, "labels": labels}, _expected(graph, model, encoded)
    return graph, {"numbers": numbers, "labels": labels}, _probabilities(graph, model, encoded)


def _encoded(graph: Graph, blocks: FeatureBlocks, numbers: list[str], labels: list[str]) -> str:
    """Columns of `FeatureBlocks.transform`."""
    pieces = [_part(graph, part, numbers, labels) for part in blocks.parts_]
    for name, (_, _, levels) in blocks.categories_.items():
        if levels:
            label = graph.label(labels.index(name))
            marks = graph.marks(label, list(levels))
            pieces.append(graph.where(graph.is_text(label, ""), graph.number(np.nan), marks))
    return graph.beside(pieces)


def _part(graph: Graph, part: Any, numbers: list[str], labels: list[str]) -> str:
    values = graph.columns("numbers", [numbers.index(name) for name in part.features])
    if any(part.logged):
        logged = graph.constant(np.array([part.logged], dtype=bool))
        logs = graph.node("Div", graph.node("Log", values), graph.number(np.log(2.0)))
        positive = graph.node("Greater", values, graph.number(0.0))
        values = graph.where(logged, graph.where(positive, logs, graph.number(np.nan)), values)
    label = graph.label(labels.index(part.within)) if part.within else None
    if part.combat is not None and part.combat.batches and label is not None:
        values = _without_batch(graph, part.combat, values, label)
    if part.standardised:
        levels = sorted(set(part.centre) - {""}) if label is not None else []
        centre, scale = (_by_level(graph, getattr(part, which), levels, label) for which in ("centre", "scale"))
        values = graph.node("Div", graph.node("Sub", values, centre), scale)
    if part.loadings is None:
        return values
    unmeasured = graph.node("IsNaN", values)
    filled = graph.where(unmeasured, graph.number(0.0), values)
    loadings = np.asarray(part.loadings) / np.asarray(part.component_scale)
    return graph.where(graph.every(unmeasured), graph.number(np.nan), graph.times(filled, loadings))


def _by_level(graph: Graph, rows: dict[str, list[float]], levels: list[str], label: str | None) -> str:
    pooled = np.array([rows[""]], dtype=float)
    if not levels or label is None:
        return graph.constant(pooled)
    marks = graph.marks(label, levels)
    return graph.node(
        "Add", graph.times(marks, np.array([rows[level] for level in levels]) - pooled), graph.constant(pooled)
    )


def _without_batch(graph: Graph, combat: Any, values: str, label: str) -> str:
    marks = graph.marks(label, list(combat.batches))
    size, mean = graph.constant(np.sqrt(combat.variance)[None]), graph.constant(combat.mean[None])
    standard = graph.node("Div", graph.node("Sub", values, mean), size)
    shift, spread = graph.times(marks, combat.shift), graph.times(marks, np.sqrt(combat.spread) - 1.0)
    moved = graph.node("Div", graph.node("Sub", standard, shift), graph.node("Add", spread, graph.number(1.0)))
    back = graph.node("Add", graph.node("Mul", moved, size), mean)
    known = graph.node("Greater", graph.times(marks, np.ones((len(combat.batches), 1))), graph.number(0.5))
    return graph.where(known, back, values)


def _expected(graph: Graph, model: ValueModel, encoded: str) -> str:
    columns, arms = _linear_columns(graph, model, encoded), len(model.arms_)
    terms = []
    for one, level, effect in zip(model.whole_, model.level_shares_, model.effect_shares_, strict=True):
        # shared level plus shared differences between arms, as one matrix over arms
        mixing = np.full((arms, arms), (level - effect) / arms) + effect * np.eye(arms)
        terms.append(graph.times(_learner(graph, one, columns, encoded, arms), mixing))
    place = model.baseline_column()
    if place is not None:
        slope, mean = model.line_
        away = graph.node("Sub", graph.columns(encoded, [place]), graph.number(mean))
        line = graph.node("Mul", graph.where(graph.node("IsNaN", away), graph.number(0.0), away), graph.number(slope))
        terms.append(line)
    total = terms[0]
    for term in terms[1:]:
        total = graph.node("Add", total, term)
    return graph.node("Identity", total, name="expected")


def _learner(graph: Graph, one: LinearArms | TreeArms, columns: str, encoded: str, arms: int) -> str:
    if isinstance(one, TreeArms):
        return graph.trees(encoded, [trees_of(booster) for booster in one.grown])
    found = graph.node("Add", graph.times(columns, one.coefficients.T), graph.constant(one.intercepts[None]))
    if one.factors.size:
        scores = graph.times(columns, one.factors)
        products = [
            graph.times(graph.node("Mul", graph.times(scores, one.products[arm]), scores), np.ones((scores_of(one), 1)))
            for arm in range(arms)
        ]
        found = graph.node("Add", found, graph.beside(products))
    return found


def scores_of(one: LinearArms) -> int:
    """Count the factors whose products count."""
    return int(one.factors.shape[1])


def _linear_columns(graph: Graph, model: ValueModel, encoded: str) -> str:
    """Columns of `LinearInputs.transform`."""
    inputs = model.inputs_
    unmeasured = graph.node("IsNaN", encoded)
    filled = graph.where(unmeasured, graph.constant(inputs.median_[None]), encoded)
    centred = graph.node("Sub", filled, graph.constant(inputs.centre_[None]))
    pieces = [graph.node("Div", centred, graph.constant(inputs.scale_[None]))]
    for modality in inputs.indicated_:
        inside = [place for place, column in enumerate(inputs.encoded_columns_) if column.modality == modality]
        nothing = graph.every(graph.node("IsNaN", graph.columns(encoded, inside)))
        pieces.append(graph.as_number(nothing))
    return graph.beside(pieces)


def _probabilities(graph: Graph, model: ClassModel, encoded: str) -> str:
    centred = graph.node("Sub", encoded, graph.constant(model.centre_[None]))
    standard = graph.node("Div", centred, graph.constant(model.scale_[None]))
    filled = graph.where(graph.node("IsNaN", standard), graph.number(0.0), standard)
    weights = model.weights_.mean(axis=0)  # (arms, columns, classes)
    arms, _, classes = weights.shape
    flat = weights.transpose(1, 0, 2).reshape(-1, arms * classes)
    logits = graph.node("Add", graph.times(filled, flat), graph.constant(model.intercepts_.reshape(1, -1)))
    shaped = graph.node("Reshape", logits, graph.constant(np.array([-1, arms, classes], dtype=np.int64)))
    return graph.node("Softmax", shaped, name="probabilities", axis=2)
