"""The whole system in containers, where there is an engine: `make test-docker`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from opseer_cli.deployment import prepare
from opseer_common.testing.listening import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.docker
@pytest.mark.timeout(900)
def test_containers_get_ready() -> None:
    """Rule: what `make up` starts is healthy, answers, and goes without a trace."""
    docker = shutil.which("docker")
    assert docker is not None, "this test needs docker"
    prepare(DEPLOY)
    port = free_port()
    compose = [docker, "compose", "--project-name", "opseer-test-up"]
    compose += ["--file", str(DEPLOY / "compose.yaml")]
    environment = {**os.environ, "OPSEER_PORT": str(port)}  # noqa: TID251 - docker's own
    try:
        subprocess.run(
            [*compose, "up", "--detach", "--build", "--wait"],
            check=True,
            env=environment,
        )
        url = f"http://127.0.0.1:{port}/readyz"
        with urlopen(url, timeout=10) as answer:
            assert answer.status == 200
    finally:
        subprocess.run([*compose, "down", "--volumes"], check=True, env=environment)
