"""A browser without JavaScript, for tests of pages."""

from __future__ import annotations

import re
from typing import Any

from opseer_common.testing.gateway import Answer, RunningGateway


class Browser:
    """Keeps cookies, follows forms."""

    def __init__(self, gateway: RunningGateway) -> None:
        """Begin without cookies."""
        self.gateway = gateway
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, path: str, **more: Any) -> Answer:
        """Send a request as a browser would."""
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": pairs} if pairs else {}
        headers |= more.pop("headers", {})
        answer = await self.gateway.call(method, path, headers=headers, **more)
        self.cookies.update(answer.cookies)
        self.cookies = {k: v for k, v in self.cookies.items() if v}
        return answer

    async def post(self, page: str, action: str, **fields: str) -> Answer:
        """Open a page and send one of its forms."""
        found = await self.send("GET", page)
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', found.text)
        if token is None or f'action="{action}"' not in found.text:
            raise AssertionError(found.text)
        data = {"csrf": token.group(1), **fields}
        # What a browser says of a page that sends no referrer.
        return await self.send("POST", action, data=data, headers={"Origin": "null"})
