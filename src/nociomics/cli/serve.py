"""Serve an exported model over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL_DIR", help="export/model of a run, or a folder of models with champion.json"),
    ],
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on")] = 8080,
    token_file: Annotated[
        Path | None, typer.Option(help="holds the token that clients must send; NOCIOMICS_TOKEN when left out")
    ] = None,
    no_token: Annotated[bool, typer.Option("--no-token", help="serve this machine alone, without a token")] = False,
    counts: Annotated[
        Path | None, typer.Option(help="file for counts of inputs, for nociomics drift; none are kept when left out")
    ] = None,
    watch: Annotated[
        float, typer.Option(min=0, help="seconds between looks for a new model; 0: only when asked")
    ] = 0.0,
    workers: Annotated[int, typer.Option(min=1, help="requests computed at the same time")] = 2,
    max_rows: Annotated[int, typer.Option(min=1, help="most people in one request")] = 10_000,
    max_megabytes: Annotated[int, typer.Option(min=1, help="longest body of a request")] = 32,
    seconds: Annotated[float, typer.Option(min=0.1, help="longest time until an answer")] = 60.0,
    drug_codes: Annotated[
        Path | None, typer.Option(help="CSV of a site's own codes of drugs in orders: system, code, drug")
    ] = None,
    hook_clients: Annotated[
        Path | None,
        typer.Option(
            help="JSON of the EHRs that may call CDS Hooks, and their public keys; their tokens are signed JWT"
        ),
    ] = None,
    consent_elsewhere: Annotated[
        bool,
        typer.Option("--consent-elsewhere", help="callers of CDS Hooks send genetic results of consenting people only"),
    ] = False,
) -> None:
    """Serve predictions, explanations, strata, drug advice and CDS Hooks from an exported model.

    Clients send the token as "Authorization: Bearer ...". SIGHUP, or POST /admin/reload, takes a new model after it
    was verified; SIGTERM ends when every request is answered. Research use.

    Example: nociomics serve results/demo/export/model --port 8080 --token-file token
    """
    from nociomics.knowledge.drug_code import load_drug_codes, read_drug_codes
    from nociomics.pharmacogenomics.guideline import known_drugs
    from nociomics.service.figures import require_extra

    require_extra()
    from nociomics.service.app import Settings
    from nociomics.service.hook_clients import read_clients
    from nociomics.service.limits import Limits
    from nociomics.service.server import require_safe
    from nociomics.service.server import serve as run_service
    from nociomics.service.tokens import find_token

    own = {} if drug_codes is None else read_drug_codes(drug_codes, frozenset(known_drugs()))
    settings = Settings(
        token=None if no_token else find_token(token_file),
        limits=Limits(body_bytes=max_megabytes * 1024 * 1024, rows=max_rows, seconds=seconds, working=workers),
        counts=counts,
        watch=watch,
        consent_elsewhere=consent_elsewhere,
        drug_codes={**load_drug_codes(), **own},
        hook_clients=None if hook_clients is None else read_clients(hook_clients),
    )
    require_safe(host, settings, no_token)
    run_service(model, settings, host, port)
