"""Entries 122 to 130: what pages of other sites, and texts of users, may do."""

from __future__ import annotations

import pytest

from opseer_common.testing.gateway import Owner, RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROJECTS = "/api/v1/projects"
NAMES = (
    "<script>alert(1)</script>",
    "=cmd()|' /C calc'!A0",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"name=planted"),
        ("text/plain", b'{"name":"planted"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
    ],
)
async def test_127_what_forms_can_send(
    gateway: RunningGateway, account: Owner, kind: str, body: bytes
) -> None:
    """The three types that a page may send without asking are 415 in the API."""
    headers = {**await gateway.sign_in(account), "Content-Type": kind}
    answer = await gateway.call("POST", PROJECTS, data=body, headers=headers)
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_127_images(gateway: RunningGateway, account: Owner) -> None:
    """What an image's address can reach changes nothing: writes are no GET."""
    session = await gateway.sign_in(account)
    for path in ("/logout", "/api/v1/auth/logout", "/dashboard/account/projects/add"):
        assert (await gateway.call("GET", path, headers=session)).status == 405


async def test_129_names_are_text(gateway: RunningGateway, owner_of_own: Owner) -> None:
    """A name with markup is kept as it is, and shown as text on the pages."""
    session = await gateway.sign_in(owner_of_own)
    for name in NAMES:
        answer = await gateway.call(
            "POST", PROJECTS, owner=owner_of_own, json={"name": name}
        )
        assert (answer.status, answer.json["name"]) == (201, name)
    page = (await gateway.call("GET", "/dashboard/account", headers=session)).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "{{ 7 * 7 }}" in page


async def test_129_direction_marks(gateway: RunningGateway, account: Owner) -> None:
    """A name that would turn the text around it is refused."""
    for name in ("\u202egnp.exe", "\u2066x", "a\u200bb", "two\nlines"):
        answer = await gateway.call(
            "POST", PROJECTS, owner=account, json={"name": name}
        )
        assert (answer.status, answer.code) == (422, "INVALID_NAME")
