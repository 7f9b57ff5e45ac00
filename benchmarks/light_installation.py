"""How large an installation that only predicts is, and whether every Python gives the same answers.

    python benchmarks/light_installation.py --model results/demo/export/model \
        --people results/demo/harmonised/features.parquet python3.11 python3.12 python3.13

For each Python named an environment of its own is made from a wheel of this checkout, with `nociomics[predict]` and
nothing else; uv and a package index are needed. One line of JSON per Python: megabytes, packages of the workflow that
are there (none should be), and the largest difference to the first Python's answers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
_ASK = """
import platform, sys
from importlib.util import find_spec
import polars as pl
import nociomics
answers = nociomics.load_model(sys.argv[1]).answer(pl.read_parquet(sys.argv[2]))
for name in ("predictions", "effects", "strata"):
    getattr(answers, name).write_parquet(f"{sys.argv[3]}/{name}.parquet")
heavy = [name for name in ("snakemake", "mlflow", "pandas", "pyarrow", "shap", "matplotlib") if find_spec(name)]
print(platform.python_version(), *heavy)
"""


def installed(python: str, folder: Path) -> Path:
    """Make an environment with the light installation; its interpreter."""
    wheel = next(folder.glob("*.whl"))
    place = folder / f"environment-{Path(python).name}-{abs(hash(python)) % 10_000}"
    _run("uv", "venv", "--quiet", "--python", python, str(place))
    own = place / "bin" / "python"
    _run(
        "uv",
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        str(own),
        f"nociomics[predict] @ {wheel.as_uri()}",
    )
    return own


def answered(own: Path, model: Path, people: Path) -> tuple[str, dict[str, pl.DataFrame]]:
    """Ask the model there: the Python's version with heavy packages that it has, and its three tables."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [str(own), "-I", "-c", _ASK, str(model), str(people), out], check=True, capture_output=True, text=True
        )
        return done.stdout.strip(), {path.stem: pl.read_parquet(path) for path in Path(out).glob("*.parquet")}


def largest_difference(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> float:
    """Return the largest difference of a number; infinite where a text or a null differs."""
    largest = 0.0
    for name, table in one.items():
        for column in table.columns:
            mine, theirs = table[column], other[name][column]
            if not mine.dtype.is_float():
                largest = largest if mine.equals(theirs) else float("inf")
            elif (mine.is_null() != theirs.is_null()).any():
                largest = float("inf")
            else:
                largest = max(largest, float((mine - theirs).abs().max() or 0.0))
    return largest


def megabytes(environment: Path) -> float:
    """Return the size of all files."""
    return sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def main() -> None:
    """Print one line per Python."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--people", type=Path, required=True, help="harmonised features as parquet")
    parser.add_argument("pythons", nargs="+")
    asked = parser.parse_args()
    first: dict[str, pl.DataFrame] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _run("uv", "build", "--quiet", "--wheel", "--out-dir", temporary)
        for python in asked.pythons:
            own = installed(python, folder)
            version, tables = answered(own, asked.model.resolve(), asked.people.resolve())
            first = first or tables
            told: dict[str, Any] = {"python": version, "megabytes": round(megabytes(own.parents[1]))}
            told |= {"people": tables["strata"].height, "largest_difference": largest_difference(first, tables)}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
