"""The generated configuration files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def config(
    write: Annotated[Path | None, typer.Option(help="folder to write config.yaml and config.schema.json into")] = None,
) -> None:
    """Show every default by stage, or write config.yaml and its JSON schema.

    Example: nociomics config --write config
    """
    from nociomics.config import defaults_yaml, schema_json
    from nociomics.tables.files import write_text

    if write is None:
        typer.echo(defaults_yaml(), nl=False)
        return
    write_text(defaults_yaml(), write / "config.yaml")
    write_text(schema_json(), write / "config.schema.json")
    typer.echo(f"Wrote config.yaml and config.schema.json into {write}.")
