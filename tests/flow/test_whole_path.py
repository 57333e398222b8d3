"""The whole path as a user meets it: a key goes in, figures and the report come out.

Real processes, real servers, HTTP only. What is expected comes from the ledger of the
made-up company behind the simulator.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.flow.running_system import (
    CHANNEL_KEYS,
    KEY,
    SETUP_CODE,
    ZONE,
    System,
    call,
    start_opseer,
    start_simulator,
    today,
)

from opseer_cli.layout import Layout

LABELS = ["MRR", "Revenue", "Orders", "New Subs", "Churned"]


@pytest.fixture(scope="module")
def system(module_layout: Layout, tmp_path_factory: Any) -> Iterator[System]:
    """Run Opseer and the simulator, connect, and have days of ZONE."""
    folder: Path = tmp_path_factory.mktemp("simulator")
    with ExitStack() as stack:
        simulator = start_simulator(folder, stack)
        url = start_opseer(module_layout, simulator, stack)
        status, made = call(
            "POST",
            f"{url}/api/v1/setup",
            {
                "setup_code": SETUP_CODE,
                "email": "founder@example.com",
                "password": "correct horse battery",
            },
        )
        assert status == 201, made
        system = System(url, simulator, made["token"], module_layout)
        path = "/api/v1/integrations/stripe"
        status, row = system.call("PUT", path, {"api_key": KEY})
        assert (status, row["state"]) == (201, "collecting")
        system.settle()
        assert system.call("PATCH", path, {"timezone": ZONE})[0] == 202
        system.settle()
        yield system


def test_daily_rows_are_the_ledgers(system: System) -> None:
    """Rule: 90 closed days, complete, each figure equal to the company's ledger."""
    first, last = today() - timedelta(days=90), today() - timedelta(days=1)
    answer = system.get(f"/api/v1/revenue/daily?source=stripe&from={first}&to={last}")
    fields = [
        *("date", "charges_count", "charges_amount", "refunds_count"),
        *("refunds_amount", "net_revenue", "failed_payments", "disputes"),
    ]
    truth = system.truth(first, last)["days"]
    assert len(truth) == 90
    assert [{f: row[f] for f in fields} for row in answer["rows"]] == [
        {f: day[f] for f in fields} for day in truth
    ]
    assert all(row["complete"] for row in answer["rows"])
    assert {row["currency"] for row in answer["rows"]} == {"usd"}


@pytest.mark.parametrize("grain", ["subscription", "customer"])
def test_movements_are_the_ledgers(system: System, grain: str) -> None:
    """Rule: 29 closed days of movements and snapshots equal the ledger, both grains."""
    first, last = today() - timedelta(days=29), today() - timedelta(days=1)
    answer = system.get(
        f"/api/v1/mrr/movements?source=stripe&from={first}&to={last}&grain={grain}"
    )
    fields = [
        *("new", "expansion", "contraction", "churned", "net"),
        "of_which_reactivation",
    ]
    truth = system.truth(first, last)["days"]
    assert [
        (row["date"], row["snapshot"], {f: row[f] for f in fields})
        for row in answer["rows"]
    ] == [
        (day["date"], day["mrr"], {f: day[f"grain_{grain}"][f] for f in fields})
        for day in truth
    ]
    assert all(row["complete"] and row["fx"] == 0 for row in answer["rows"])


def entries_of(system: System, day: str) -> list[Any]:
    """Return everything behind a day of revenue, page by page."""
    path = f"/api/v1/revenue/daily/{day}/entries?source=stripe&limit=100"
    page = system.get(path)
    found: list[Any] = page["entries"]
    assert (page["complete"], page["timezone"]) == (True, ZONE)
    while page["next_cursor"] is not None:
        page = system.get(f"{path}&cursor={page['next_cursor']}")
        found += page["entries"]
    return found


def test_what_is_behind_a_day_adds_up_to_it(system: System) -> None:
    """Rule: entries of 90 closed days and changes of 29 re-add to the ledger's rows."""
    first, last = today() - timedelta(days=90), today() - timedelta(days=1)
    fields = (
        *("charges_count", "charges_amount", "refunds_count", "refunds_amount"),
        *("net_revenue", "failed_payments", "disputes"),
    )
    moved = 0
    for back, day in enumerate(reversed(system.truth(first, last)["days"]), 1):
        adds = [one["adds"] for one in entries_of(system, day["date"])]
        for field in fields:
            assert sum(one.get(field, 0) for one in adds) == day[field], day["date"]
        if back > 29:
            continue
        for grain in ("subscription", "customer"):
            path = f"/api/v1/mrr/movements/{day['date']}/changes?source=stripe"
            changes = system.get(f"{path}&grain={grain}")["changes"]
            for category in ("new", "expansion", "contraction", "churned"):
                told = [one["amount"] for one in changes if one["category"] == category]
                assert sum(told) == day[f"grain_{grain}"][category], day["date"]
                moved += len(told)
    assert moved


def test_mrr_is_the_ledgers(system: System) -> None:
    """Rule: MRR and active subscriptions equal the ledger, and the last snapshot."""
    mrr = system.get("/api/v1/mrr?source=stripe")
    truth = system.truth(today(), today())
    assert (mrr["mrr"], mrr["active_subscriptions"], mrr["complete"]) == (
        truth["mrr"],
        truth["active_subscriptions"],
        True,
    )
    rows = system.get(f"/api/v1/mrr/movements?source=stripe&from={today()}")["rows"]
    assert rows[-1]["snapshot"] == mrr["mrr"]
    plans = system.get("/api/v1/mrr/plans?source=stripe")["plans"]
    assert sum(plan["mrr"] for plan in plans) == mrr["mrr"]
    assert sum(plan["share"] for plan in plans) == 10_000


def test_the_report_of_yesterday_is_the_ledgers(system: System) -> None:
    """Rule: five numbers, labelled and ordered as the description says, all true."""
    yesterday = today() - timedelta(days=1)
    report = system.get(f"/api/v1/reports/daily?date={yesterday}")
    [channel] = report["channels"]
    [day] = system.truth(yesterday, yesterday)["days"]
    assert [metric["label"] for metric in channel["metrics"]] == LABELS
    assert [metric["value"] for metric in channel["metrics"]] == [
        day["mrr"],
        day["net_revenue"],
        day["charges_count"],
        day["new_subs"],
        day["churned_subs"],
    ]
    assert report["title"] == "📊 Opseer Revenue Daily Report · TEST MODE"
    text = system.get(f"/api/v1/reports/daily?date={yesterday}&format=text")
    assert text.startswith(report["title"])
    assert [line.split("  ")[0] for line in text.splitlines()[4:9]] == LABELS


def test_the_other_channels_are_in_the_report(system: System) -> None:
    """Rule: RevenueCat and Polar connect as Stripe does; the report has all three."""
    day = today() - timedelta(days=2)  # over in each channel's zone
    for source, key in CHANNEL_KEYS.items():
        path = f"/api/v1/integrations/{source}"
        status, row = system.call("PUT", path, {"api_key": key})
        assert (status, row["environment"]) == (201, "live")
    for source in CHANNEL_KEYS:
        row = system.settle(source=source)
        assert (row["state"], row["flags"]) == ("connected", [])
    report = system.get(f"/api/v1/reports/daily?date={day}")
    assert [one["source"] for one in report["channels"]] == ["stripe", *CHANNEL_KEYS]
    for channel in report["channels"][1:]:
        truth = system.channel_truth(channel["source"])
        keys = ("mrr", "revenue", "orders", "new_subs", "churned")
        values = {metric["key"]: metric["value"] for metric in channel["metrics"]}
        assert values == {key: truth[day][key] for key in keys}
        mrr = system.get(f"/api/v1/mrr?source={channel['source']}")
        assert (mrr["complete"], mrr["currency"]) == (True, "usd")
        path = f"/api/v1/mrr/movements?source={channel['source']}&from={day}&to={day}"
        [moved] = system.get(path)["rows"]
        assert (moved["snapshot"], moved["complete"]) == (truth[day]["mrr"], True)
    for source in CHANNEL_KEYS:
        assert system.call("DELETE", f"/api/v1/integrations/{source}")[0] == 204
        daily = system.get(f"/api/v1/revenue/daily?source={source}")
        assert daily["rows"] == []


def test_refresh_reads_all_again_and_changes_nothing(system: System) -> None:
    """Rule: a Refresh is a run of its own and ends with the same closed days."""
    path = f"/api/v1/revenue/daily?source=stripe&to={today() - timedelta(days=1)}"
    before = system.get(path)["rows"]
    status, asked = system.call("POST", "/api/v1/integrations/stripe/refresh")
    row = system.get("/api/v1/integrations/stripe")
    assert status == 202
    assert row["run_id"] == asked["run_id"]
    assert row["progress"] is not None
    system.settle()
    assert system.get(path)["rows"] == before


def test_a_killed_service_comes_back(system: System) -> None:
    """Rule: kill -9 of each service in a Refresh changes no figure."""
    path = f"/api/v1/revenue/daily?source=stripe&to={today() - timedelta(days=1)}"
    before = system.get(path)["rows"]
    assert system.call("POST", "/api/v1/integrations/stripe/refresh")[0] == 202
    for name in ("mrr", "notifier", "gateway"):
        note = json.loads((system.layout.run / f"{name}.json").read_text("utf-8"))
        os.kill(note["pid"], 9)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if call("GET", f"{system.url}/readyz")[0] == 200:
                break
        except OSError:
            time.sleep(0.2)
    system.settle()
    assert system.get(path)["rows"] == before


def test_a_wiped_bus_loses_no_figure(system: System) -> None:
    """Rule: Postgres is the record; a bus that lost its disk is laid down again."""
    path = f"/api/v1/revenue/daily?source=stripe&to={today() - timedelta(days=1)}"
    before = system.get(path)["rows"]
    note = json.loads((system.layout.run / "nats.json").read_text("utf-8"))
    os.kill(note["pid"], 9)
    shutil.rmtree(system.layout.nats / "jetstream")
    assert system.call("POST", "/api/v1/integrations/stripe/refresh")[0] == 202
    system.settle(seconds=100)
    assert system.get(path)["rows"] == before


def test_the_key_is_nowhere(system: System) -> None:
    """Rule: after pastes in wrong places, kills and restarts no file or process has it.

    Everything on disk is looked into: tables, WAL, streams, logs, a backup with keys;
    and the environment and command line of every process. So for the private sealing
    key, which is in its own file alone.
    """
    _paste_everywhere(system)
    secrets = system.layout.secrets
    sealing = json.loads((secrets / "sealing-key.json").read_text("utf-8"))
    backup = system.layout.root / "backup"
    subprocess.run(
        [
            *(sys.executable, "-c", "from opseer_cli.main import app; app()"),
            *("backup", str(backup), "--with-keys"),
        ],
        env={"PATH": os.defpath, "OPSEER_DATA_DIR": str(system.layout.root)},
        check=True,
        capture_output=True,
    )
    raw = base64.b64decode(sealing["keys"]["1"])
    needles = [
        form
        for secret in (KEY.encode(), raw)
        for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:-4])
    ]
    looked, hits = 0, []
    own = {secrets / "sealing-key.json"}
    for file in {
        *system.layout.root.rglob("*"),
        system.layout.root.with_suffix(".log"),
    }:
        if file.is_file() and file not in own:
            content = file.read_bytes()
            looked += len(content)
            hits += [file for needle in needles if needle in content]
    backup.unlink()
    for note in system.layout.run.glob("*.json"):
        process = Path("/proc") / str(json.loads(note.read_text("utf-8"))["pid"])
        for name in ("environ", "cmdline"):
            with suppress(PermissionError):
                content = (process / name).read_bytes()
                hits += [note for needle in needles if needle in content]
    assert hits == []
    assert looked > 10_000_000


def _paste_everywhere(system: System) -> None:
    """Send the key where it does not belong, as people do."""
    assert system.call("PUT", "/api/v1/integrations/polar", {"api_key": KEY})[0] == 422
    wrong = {"api_key": KEY, KEY: KEY}
    assert system.call("PUT", "/api/v1/integrations/stripe", wrong)[0] == 422
    assert system.call("GET", f"/api/v1/integrations/{KEY}")[0] == 404
    assert system.call("GET", f"/api/v1/mrr?source={KEY}")[0] == 422
    assert system.call("GET", f"/dashboard?api_key={KEY}")[0] == 200
    login = {"email": f"{KEY}@example.com", "password": KEY}
    assert system.call("POST", "/api/v1/auth/login", login)[0] == 401
    assert call("GET", f"{system.url}/api/v1/mrr", token=KEY)[0] == 401


async def test_a_disconnect_leaves_nothing(system: System) -> None:
    """Rule: no number at once, no row within 5 s, and a new connect starts anew."""
    assert system.call("DELETE", "/api/v1/integrations/stripe")[0] == 204
    row = system.get("/api/v1/integrations/stripe")
    daily = system.get("/api/v1/revenue/daily?source=stripe")
    mrr = system.get("/api/v1/mrr?source=stripe")
    moves = system.get("/api/v1/mrr/movements?source=stripe")
    assert row["state"] == "disconnected"
    assert (daily["rows"], moves["rows"]) == ([], [])
    numbers = [v for v in mrr.values() if isinstance(v, int) and v is not False]
    assert numbers == []
    await _no_row_left(system)
    path = "/api/v1/integrations/stripe"
    assert system.call("PUT", path, {"api_key": KEY})[0] == 201
    system.settle()
    assert system.get("/api/v1/mrr?source=stripe")["mrr"] is not None


async def _no_row_left(system: System) -> None:
    """Look into every table that holds rows of a connection."""
    password = (system.layout.secrets / "postgres-admin-password").read_text("ascii")
    port = (system.layout.run / "postgres-port").read_text("ascii")
    admin = await asyncpg.connect(
        host="127.0.0.1",
        port=int(port),
        user="opseer_admin",
        password=password,
        database="opseer",
    )
    tables = await admin.fetch(
        """
        SELECT a.attrelid::regclass::text AS name FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
        WHERE a.attname = 'connection_id' AND c.relnamespace::regnamespace::text
              IN ('gateway', 'collector', 'mrr', 'notifier')
        """
    )
    left = {}
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = {
            row["name"]: count
            for row in tables
            if (count := await admin.fetchval(f"SELECT count(*) FROM {row['name']}"))  # noqa: S608
        }
        if not left:
            break
    await admin.close()
    assert len(tables) > 10
    assert left == {}
