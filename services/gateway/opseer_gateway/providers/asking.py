"""Asking a provider about a key: one deadline for all calls, nothing kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import aiohttp

from opseer_common.errors import RefusedError
from opseer_common.sealing import Secret

SECONDS: Final = 10.0
"""How long a provider may take, all calls together."""
OK, UNAUTHORIZED, FORBIDDEN = 200, 401, 403
_LARGEST: Final = 1 << 20


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    key: Secret,
    params: Sequence[tuple[str, str]] = (),
) -> tuple[int, bytes]:
    """Return status and body of a GET; TimeoutError or ClientError without an answer.

    A body over 1 MiB is a RefusedError(PROVIDER_UNAVAILABLE).
    """
    headers = {"Authorization": f"Bearer {key.reveal()}", "Accept": "application/json"}
    async with session.get(
        url, headers=headers, params=[*params], allow_redirects=False
    ) as answer:
        body = bytearray()
        async for chunk in answer.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > _LARGEST:
                raise unavailable("The answer was not what was asked for.")
        return answer.status, bytes(body)


def unavailable(detail: str) -> RefusedError:
    """Return the refusal that asks to come again."""
    return RefusedError("PROVIDER_UNAVAILABLE", f"{detail} Nothing was stored.")
