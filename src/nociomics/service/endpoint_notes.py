"""What /openapi.json says of the endpoints."""

from __future__ import annotations

from typing import Any

NOTES = {
    "service": "Predictions of treatment response, explanations, strata and drug advice from one exported model. "
    "For research; not for treating a person without a clinician.",
    "predict": "Raw tables as `nociomics predict` takes them (canonical columns as rows), or harmonised rows. Answers "
    "predictions, effects and strata; every row has a status, and a person who cannot be answered gets the reason.",
    "explain": "Shapley values in the unit of the outcome, checked to add up to the prediction. Empty while the "
    "model's gate for individual explanations is closed.",
    "pgx": "Every diplotype that fits, its phenotype, and guideline advice for pain drugs.",
    "reload": "The new model is verified (hashes, golden rows) before it answers; a bad one leaves the old in place.",
}

_ROW = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
_TABLE = {
    "oneOf": [
        {"type": "array", "items": _ROW},
        {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": _ROW}}},
    ]
}
_IN_ONE_ORDER = {
    "type": "object",
    "description": "Names once, then a list of values per person: the shorter form for many people.",
    "required": ["columns", "data"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "data": {"type": "array", "items": {"type": "array"}},
    },
}
_PEOPLE = {
    "type": "object",
    "properties": {
        "tables": {"type": "object", "properties": {"patients": _TABLE}, "additionalProperties": _TABLE},
        "rows": {"oneOf": [{"type": "array", "items": _ROW}, _IN_ONE_ORDER]},
        "harm_weight": {"type": "number", "minimum": 0},
    },
}
_PGX = {
    "type": "object",
    "required": ["tables"],
    "properties": {
        "tables": {"type": "object", "additionalProperties": _TABLE},
        "drugs": {"type": "array", "items": {"type": "string"}},
        "indication": {"type": "string"},
    },
}
_PERSON = {"patient_id": "n1", "age": 52, "sex": "F"}
_EXAMPLES: dict[str, Any] = {
    "people": {"tables": {"patients": [_PERSON]}},
    "pgx": {
        "tables": {"diplotypes": [{"patient_id": "n1", "gene": "CYP2D6", "diplotype": "*4/*4"}]},
        "drugs": ["codeine"],
    },
    "feedback": {"feedback": []},
}
_BODIES: dict[str, Any] = {"people": _PEOPLE, "pgx": _PGX, "feedback": {"type": "object"}}


def body_of(kind: str | None) -> dict[str, Any] | None:
    """Describe a request's body for OpenAPI; None for an endpoint without one."""
    if kind is None:
        return None
    content = {"schema": _BODIES[kind], "example": _EXAMPLES[kind]}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


HOOK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["hook", "hookInstance", "context"],
                    "properties": {
                        "hook": {"type": "string"},
                        "hookInstance": {"type": "string", "format": "uuid"},
                        "context": {"type": "object"},
                        "prefetch": {"type": "object"},
                    },
                }
            }
        },
    }
}
