"""What predict says of a whole table of new people."""

import polars as pl
import pytest

from nociomics.cli.predict import unlike_everybody
from nociomics.export.cautions import ATYPICAL, UNSEEN_BATCH


@pytest.mark.parametrize(("away", "told"), [(0, False), (2, False), (3, True), (4, True)])
def test_a_table_of_people_unlike_everybody_is_told_once(away: int, told: bool) -> None:
    cautions = [ATYPICAL, f"{ATYPICAL}; {UNSEEN_BATCH}", ATYPICAL, ATYPICAL][:away] + [None] * (4 - away)
    rows = pl.DataFrame({"patient_id": [*"abcd"] * 2, "caution": cautions * 2}, schema_overrides={"caution": pl.String})
    words = unlike_everybody(rows)
    assert (words is not None) is told
    assert words is None or words.startswith(f"{away} of 4 people")
