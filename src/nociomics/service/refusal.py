"""What the service answers to a request that it does not serve: a status, a word, a sentence, never a value."""

from __future__ import annotations

from nociomics.errors import NociomicsError


class Refusal(NociomicsError):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        HTTP status.
    code : str
        One word that programs can compare, such as ``too_large``.
    message : str
        What is wrong, what is allowed, what to do; without any value of a patient.
    headers : dict, optional
        Further headers, such as ``Retry-After``.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def body(self) -> dict[str, dict[str, str]]:
        """Return the answer as JSON values."""
        return {"error": {"code": self.code, "message": self.message}}
