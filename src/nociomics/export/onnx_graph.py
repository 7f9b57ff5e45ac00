"""An ONNX graph put together from a few operations, in double precision but for what trees compare."""

from __future__ import annotations

from typing import Any

import numpy as np

_OPSET, _ML_OPSET, _IR = 20, 3, 10


class Graph:
    """Nodes and constants; every method returns the name of its result.

    Parameters
    ----------
    numbers, labels : int
        Widths of the inputs ``numbers`` (double, NaN where not measured) and ``labels`` (text, "" where not known).
    """

    def __init__(self, numbers: int, labels: int) -> None:
        self.widths = {"numbers": numbers, "labels": labels}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Add one operation."""
        from onnx import helper

        result = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], domain=domain, **attributes))
        return result

    def constant(self, values: np.ndarray) -> str:
        """Add an array; numbers that are no truth, count or text become doubles."""
        from onnx import TensorProto, helper, numpy_helper

        name = f"c{len(self.constants)}"
        if values.dtype == object:
            texts = [text.encode() for text in values.reshape(-1)]
            self.constants.append(helper.make_tensor(name, TensorProto.STRING, values.shape, texts))
        else:
            kept = values if values.dtype in (np.bool_, np.int64) else values.astype(np.float64)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def number(self, value: float) -> str:
        """Add one number."""
        return self.constant(np.array([[value]], dtype=np.float64))

    def columns(self, values: str, places: list[int]) -> str:
        """Take columns."""
        return self.node("Gather", values, self.constant(np.array(places, dtype=np.int64)), axis=1)

    def label(self, place: int) -> str:
        """Take one column of labels."""
        return self.columns("labels", [place])

    def is_text(self, label: str, text: str) -> str:
        """Whether a label is a text."""
        return self.node("Equal", label, self.constant(np.array([[text]], dtype=object)))

    def marks(self, label: str, levels: list[str]) -> str:
        """Mark each level by a column of 0 and 1."""
        return self.as_number(self.node("Equal", label, self.constant(np.array([levels], dtype=object))))

    def as_number(self, truth: str) -> str:
        """Turn truth into 0 and 1."""
        from onnx import TensorProto

        return self.node("Cast", truth, to=TensorProto.DOUBLE)

    def every(self, truth: str) -> str:
        """Whether all columns are true, one column."""
        axes = self.constant(np.array([1], dtype=np.int64))
        smallest = self.node("ReduceMin", self.as_number(truth), axes, keepdims=1)
        return self.node("Greater", smallest, self.number(0.5))

    def where(self, truth: str, one: str, other: str) -> str:
        """Choose value by value."""
        return self.node("Where", truth, one, other)

    def times(self, values: str, weights: np.ndarray) -> str:
        """Multiply by a matrix."""
        return self.node("MatMul", values, self.constant(np.asarray(weights, dtype=np.float64)))

    def beside(self, pieces: list[str]) -> str:
        """Put columns side by side."""
        return pieces[0] if len(pieces) == 1 else self.node("Concat", *pieces, axis=1)

    def trees(self, values: str, forests: list[tuple[float, list[dict[str, Any]]]]) -> str:
        """Sum trees per output; they compare in single precision, as they were grown.

        Parameters
        ----------
        forests : list of (base score, trees)
            One per output column; trees as XGBoost writes them.
        """
        from onnx import TensorProto

        single = self.node("Cast", values, to=TensorProto.FLOAT)
        attributes: dict[str, Any] = {name: [] for name in _TREE_LISTS}
        number = 0
        for target, (_, trees) in enumerate(forests):
            for tree in trees:
                _add_tree(attributes, tree, number, target)
                number += 1
        attributes["base_values"] = [base for base, _ in forests]
        summed = self.node(
            "TreeEnsembleRegressor",
            single,
            domain="ai.onnx.ml",
            n_targets=len(forests),
            aggregate_function="SUM",
            post_transform="NONE",
            **attributes,
        )
        return self.node("Cast", summed, to=TensorProto.DOUBLE)

    def model(self, output: str) -> Any:
        """Return the whole as an ONNX model, checked."""
        from onnx import TensorProto, checker, helper

        kinds = {"numbers": TensorProto.DOUBLE, "labels": TensorProto.STRING}
        inputs = [
            helper.make_tensor_value_info(name, kinds[name], ["people", width])
            for name, width in self.widths.items()
            if width or name == "numbers"
        ]
        shape = ["people", None] if output == "expected" else ["people", None, None]
        outputs = [helper.make_tensor_value_info(output, TensorProto.DOUBLE, shape)]
        graph = helper.make_graph(self.nodes, "nociomics", inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="nociomics", ir_version=_IR)
        checker.check_model(model)
        return model


_TREE_LISTS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
)


def _add_tree(lists: dict[str, Any], tree: dict[str, Any], number: int, target: int) -> None:
    for node, left in enumerate(tree["left_children"]):
        leaf = left < 0
        limit = float(np.float32(tree["split_conditions"][node]))
        lists["nodes_treeids"].append(number)
        lists["nodes_nodeids"].append(node)
        lists["nodes_featureids"].append(0 if leaf else tree["split_indices"][node])
        lists["nodes_values"].append(0.0 if leaf else limit)
        lists["nodes_modes"].append("LEAF" if leaf else "BRANCH_LT")
        lists["nodes_truenodeids"].append(0 if leaf else left)
        lists["nodes_falsenodeids"].append(0 if leaf else tree["right_children"][node])
        lists["nodes_missing_value_tracks_true"].append(0 if leaf else int(tree["default_left"][node]))
        if leaf:
            lists["target_treeids"].append(number)
            lists["target_nodeids"].append(node)
            lists["target_ids"].append(target)
            lists["target_weights"].append(limit)
