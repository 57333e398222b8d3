"""The administrator's way into the database, whether Opseer runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from opseer_cli.credentials import Credentials, credentials_for
from opseer_cli.embedded_postgres import EmbeddedPostgres, live_postmaster
from opseer_cli.layout import Layout, held, holder_of, layout_of
from opseer_cli.processes import end_orphans
from opseer_cli.settings import Settings
from opseer_common import bootstrap, sealing
from opseer_common.errors import ConfigError
from opseer_common.key_files import read_ring
from opseer_common.key_vault import VaultTransit, Wrapper

_POLL = 0.05
_GRACE = 10.0


@asynccontextmanager
async def database_url(
    chosen: Settings, say: Callable[[str], None], *, make: bool = False
) -> AsyncIterator[str]:
    """Yield the administrator's URL.

    It is DATABASE_URL or that of the embedded server, which is started for as long as
    it is needed where Opseer is stopped. `make` makes and migrates one that is not
    there yet. Raises ConfigError.
    """
    layout = layout_of(chosen.data_dir)
    if chosen.database_url is not None:
        yield chosen.database_url
    elif holder_of(layout) is not None:
        server = EmbeddedPostgres(layout)
        server.attach()
        yield server.url
    else:
        if not make and not (layout.postgres / "cluster").is_dir():
            raise ConfigError(f"there are no data of Opseer in {layout.root}")
        async with _started(layout, say) as url:
            if make:
                passwords = credentials_for(chosen).passwords()
                await bootstrap.migrate_database(url, passwords)
            yield url


@asynccontextmanager
async def _started(layout: Layout, say: Callable[[str], None]) -> AsyncIterator[str]:
    """Run the embedded server alone."""
    layout.make()
    with held(layout):
        end_orphans(layout.run, say, postmaster=live_postmaster(layout))
        server = EmbeddedPostgres(layout)
        await asyncio.to_thread(server.start)
        try:
            await _until_ready(server)
            yield server.url
        finally:
            await server.child.stop(_GRACE)


async def _until_ready(server: EmbeddedPostgres) -> None:
    """Wait until it takes connections. ConfigError when it ends instead."""
    while True:
        if server.is_ready():
            return
        await asyncio.sleep(_POLL)


def vault(chosen: Settings) -> Wrapper | None:
    """Return the vault that wraps the sealing keys, where one is set."""
    if chosen.vault_address is None or chosen.vault_token_file is None:
        return None
    return VaultTransit(chosen.vault_address, chosen.vault_key, chosen.vault_token_file)


def sealing_checks(chosen: Settings) -> dict[int, str]:
    """Return the check value of each sealing key that is here, by its id.

    From the private file where it can be read, else from the public one. None is made.
    """
    folder = chosen.secrets_dir or layout_of(chosen.data_dir).secrets
    credentials = Credentials(folder)
    if credentials.sealing_key.exists():
        known = read_ring(credentials.sealing_key, vault(chosen)).publics()
    elif credentials.sealing_public.exists():
        known = [sealing.read_public_key(credentials.sealing_public)]
    else:
        known = []
    return {key.key_id: key.check_value for key in known}
