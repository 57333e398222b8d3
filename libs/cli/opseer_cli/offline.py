"""Commands that need nothing running: explain, version."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from opseer_cli.explain import explain_cases, explain_words
from opseer_common.clock import utc_now
from opseer_common.errors import ConfigError
from opseer_mrr.domain.policy import policy_from


def explain(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="Subscription or event JSON."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Cases; one JSON line each."),
    ] = None,
    policy: Annotated[str, typer.Option(help="A preset, for FILE.")] = "opseer",
) -> None:
    """Show how MRR comes about: FILE in words, or --cases as JSON lines."""
    if cases is not None and file is None:
        lines = explain_cases(cases.read_bytes())
    elif file is not None and cases is None:
        lines = explain_words(file.read_bytes(), policy_from(policy), utc_now())
    else:
        raise ConfigError("give either FILE or --cases FILE")
    for line in lines:
        sys.stdout.write(line + "\n")


def version() -> None:
    """Print the version."""
    typer.echo(installed_version("opseer"))
