"""Take the pictures of docs/mlflow.md: what a researcher sees of the demo in MLflow.

Starts MLflow's own server on a free port of this machine, opens the pages in Debian's Chromium without any network,
and writes docs/figures/mlflow_*.png. Run by hand when a page of MLflow or of ours has changed:

    python workflow/scripts/picture_mlflow.py results/mlflow.db --study demo
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nociomics.tracking.store import mlflow_module, runs_table_link, tracking_to

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
CHROMIUM = "/usr/bin/chromium"
_COLOURS = 64  # of a picture: enough for a page of text, and a third of its size
_WAIT_S = 180
_WITHOUT_ASSISTANT = """
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
"""


@contextlib.contextmanager
def server(store: Path) -> Iterator[int]:
    """Run MLflow's server over a store, and say on which port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    program = str(Path(sys.executable).parent / "mlflow")
    where = ["--backend-store-uri", f"sqlite:///{store.resolve()}", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        [program, "server", *where, "--workers", "1"],
        env={**os.environ, **quiet},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int) -> None:
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return
        time.sleep(1)
    raise SystemExit(f"MLflow's server did not answer within {_WAIT_S} s.")


def runs_of(store: Path, study: str) -> tuple[str, list[str], dict[str, str]]:
    """Return the experiment's id, the study's runs (newest first) and the newest one's stages by name."""
    mlflow = mlflow_module()
    with tracking_to(mlflow, f"sqlite:///{store.resolve()}"):
        client = mlflow.MlflowClient()
        experiment_id: str = client.get_experiment_by_name(study).experiment_id
        runs = client.search_runs([experiment_id], "tags.stage = 'study'", order_by=["attributes.start_time DESC"])
        ids = [run.info.run_id for run in runs]
        below = client.search_runs([experiment_id], f"tags.`mlflow.parentRunId` = '{ids[0]}'")
    return experiment_id, ids, {run.info.run_name: run.info.run_id for run in below}


def picture(page: Any, name: str, *, pause_s: float = 2.0) -> None:
    """Write what the browser shows as a small PNG."""
    from PIL import Image

    page.wait_for_timeout(1000 * pause_s)
    whole = FIGURES / f"mlflow_{name}.png"
    page.screenshot(path=whole)
    with Image.open(whole) as shot:
        small = shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(whole, optimize=True)


def take(page: Any, base: str, experiment_id: str, runs: list[str], stages: dict[str, str]) -> None:
    """Open the pages one after another, as docs/mlflow.md tells of them."""
    training = "?workflowType=machine_learning"
    page.goto(runs_table_link(base, experiment_id))
    page.locator(".ag-row button").first.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.locator(".ag-row button").first.click()
    page.locator(".ag-row", has_text="evaluation").locator("button").first.click()
    picture(page, "runs")
    page.goto(f"{base}/#/experiments/{experiment_id}/runs/{runs[0]}{training}")
    page.get_by_text("Show more").first.click(timeout=60_000)
    picture(page, "run")
    page.goto(
        f"{base}/#/experiments/{experiment_id}/runs/{stages['evaluation']}/artifacts/figures/models.svg{training}"
    )
    picture(page, "artifacts", pause_s=6)
    if len(runs) > 1:
        both = f'["{runs[0]}","{runs[1]}"]'
        page.goto(f'{base}/#/compare-runs?runs={both}&experiments=["{experiment_id}"]&workflowType=machine_learning')
        page.get_by_text("Show diff only").first.wait_for(timeout=60_000)
        for switch in page.get_by_text("Show diff only").all():
            switch.click()
        page.get_by_text("Run details").first.scroll_into_view_if_needed()
        page.get_by_text("Visualizations").first.click()  # folds the plots away
        picture(page, "compare")


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="SQLite file of the tracking store")
    parser.add_argument("--study", default="demo")
    told = parser.parse_args()
    experiment_id, runs, stages = runs_of(told.store, told.study)
    from playwright.sync_api import sync_playwright

    with server(told.store) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(_WITHOUT_ASSISTANT)
        take(page, f"http://127.0.0.1:{port}", experiment_id, runs, stages)
        browser.close()


if __name__ == "__main__":
    main()
