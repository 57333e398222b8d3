"""Changes of settings: what is not known is refused by one code each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from opseer_common.errors import RefusedError
from opseer_gateway.domain.changes import SettingsChange
from opseer_gateway.domain.integrations import Policy, Preset
from opseer_gateway.web.bodies import fit

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Connect


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "REQUIRED"),
        ({"timezone": "Europe/Atlantis"}, "INVALID_TIMEZONE"),
        ({"timezone": "../../etc/passwd"}, "INVALID_TIMEZONE"),
        ({"settlement_currency": "zzz"}, "INVALID_CURRENCY"),
        ({"settlement_currency": "USD"}, "INVALID_CURRENCY"),
        ({"policy": "generous"}, "INVALID_POLICY"),
        ({"policy": {"preset": "generous"}}, "INVALID_POLICY"),
        ({"policy": {"preset": "stripe", "version": 2}}, "INVALID_POLICY"),
    ],
)
def test_what_is_not_known_is_refused(body: dict[str, Any], code: str) -> None:
    """Rule: an unknown zone, currency or policy, however written, has one code."""
    with pytest.raises(RefusedError) as caught:
        fit(body, SettingsChange).check()
    assert caught.value.code == code


@pytest.mark.parametrize("preset", get_args(Preset))
def test_every_preset_can_be_chosen(connect: Connect, preset: Preset) -> None:
    """Rule: by its name or as a whole policy; its version is stored with it."""
    connection = connect().connection
    assert connection is not None
    for written in (preset, {"preset": preset}, {"preset": preset, "version": 1}):
        change = fit({"policy": written}, SettingsChange)
        change.check()
        assert change.apply_to(connection).policy == Policy(preset, 1)
