"""Check resources against the models of fhir.resources (R4B: the nearest that it has to R4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nociomics.fhir.content import FhirError

_SHOWN = 5


def require_valid(resource: Mapping[str, Any]) -> None:
    """Refuse a resource that R4B does not allow.

    We write only elements that R4 and R4B share for these resources, so what R4B allows here R4 allows too
    (decision 28).

    Raises
    ------
    FhirError
        With the places of the first problems, and no value; or when the extra ``fhir`` is absent.
    """
    try:
        from fhir.resources.R4B import get_fhir_model_class
    except ImportError as error:
        raise FhirError(
            "Checking FHIR needs fhir.resources, which is not installed: pip install 'nociomics[fhir]'."
        ) from error
    from pydantic import ValidationError

    kind = str(resource.get("resourceType"))
    try:
        model = get_fhir_model_class(kind)
    except (LookupError, AttributeError, ValueError):
        raise FhirError(f'"{kind}" is no resource of R4.') from None
    try:
        model.model_validate(resource)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in one['loc'])} ({one['type']})"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        more = f", and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise FhirError(f"{kind} breaks R4B in {', '.join(problems[:_SHOWN])}{more}.") from None
