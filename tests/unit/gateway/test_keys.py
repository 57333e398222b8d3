"""Which provider keys are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.contracts import Source
from opseer_common.errors import RefusedError
from opseer_gateway.domain import keys

BODY = "51AbCdEfGhIjKlMn"
LIVE = "rk_" + "live_" + BODY
PREFIX, FORMAT = "INVALID_PREFIX", "INVALID_FORMAT"


def code_of(source: Source, pasted: str) -> str:
    """Return the code of the refusal."""
    with pytest.raises(RefusedError) as refused:
        keys.check(source, pasted)
    assert BODY not in refused.value.detail
    return refused.value.code


@pytest.mark.parametrize(
    ("source", "key", "livemode", "hint"),
    [
        ("stripe", LIVE, True, "rk_live_…KlMn"),
        ("stripe", "rk_" + "test_" + BODY, False, "rk_test_…KlMn"),
        ("stripe", "rk_" + "live_" + "a" * 247, True, "rk_live_…aaaa"),
        ("revenuecat", "sk_" + BODY, True, "sk_…KlMn"),
        ("revenuecat", "atk_" + BODY, True, "atk_…KlMn"),
        ("polar", "polar_oat_" + BODY + "_x", True, "polar_oat_…Mn_x"),
        ("revenuecat", "atk_" + "a" * 247, True, "atk_…aaaa"),
        ("polar", "polar_oat_" + "a" * 247, True, "polar_oat_…aaaa"),
        ("polar", "polar_oat_" + "a" * 16, True, "polar_oat_…aaaa"),
    ],
)
def test_fitting_keys(source: Source, key: str, livemode: bool, hint: str) -> None:  # noqa: FBT001
    """A key of the source's own form is taken, with its mode and a hint."""
    found = keys.check(source, key)
    assert (found.text, found.livemode, found.hint) == (key, livemode, hint)


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", " \v\f"])
def test_outer_space_is_trimmed(space: str) -> None:
    """ASCII space around a pasted key does not matter."""
    assert keys.check("stripe", f"{space}{LIVE}{space}").text == LIVE


@pytest.mark.parametrize(
    "pasted",
    [
        "sk_" + "live_" + BODY,
        "sk_" + "test_" + BODY,
        "pk_" + "live_" + BODY,
        "SK_" + "LIVE_" + BODY,
        "Rk_" + "live_" + BODY,
        "RK_" + "LIVE_" + BODY,
        "rk_" + "LIVE_" + BODY,
        "rkcs_" + "test_" + BODY,
        "whsec_" + BODY,
        "sk_" + BODY,
        "polar_oat_" + BODY,
        "ops_" + BODY,
    ],
)
def test_other_families_at_stripe(pasted: str) -> None:
    """A key of a known other family, or in the wrong case, is INVALID_PREFIX."""
    assert code_of("stripe", pasted) == PREFIX


@pytest.mark.parametrize(
    "pasted",
    [
        "rk_",
        "rk_" + "prod_x",
        "rk_" + "live_" + "short",
        "rk_" + "live_" + "a" * 248,
        LIVE[:12] + " " + LIVE[12:],
        LIVE + "\u200b",
        "\ufeff" + LIVE,
        "\uff52\uff4b_" + "live_" + BODY,
        "r\u043a_" + "live_" + BODY,
        LIVE[:12] + "\x00" + LIVE[12:],
        LIVE + "\r\nX: y",
        LIVE + "\u00e9",
        "\u201c" + LIVE + "\u201d",
        '"' + LIVE + '"',
        "Bearer " + LIVE,
        LIVE + ":",
        "\u00a0" + LIVE,
        "rk_" + "live_" + "\u0661" * 20,
        "hello",
    ],
)
def test_misshapen_at_stripe(pasted: str) -> None:
    """Anything else is INVALID_FORMAT, and is not repeated."""
    assert code_of("stripe", pasted) == FORMAT


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("Bearer " + LIVE, "word before"),
        (LIVE + ":", "colon"),
        (LIVE + "\u200b", "hidden characters"),
        ("'" + LIVE + "'", "quotation"),
        (LIVE[:12] + " " + LIVE[12:], "space"),
    ],
)
def test_hints(pasted: str, words: str) -> None:
    """A refusal says in words what probably went wrong."""
    with pytest.raises(RefusedError) as refused:
        keys.check("stripe", pasted)
    assert words in refused.value.detail


@pytest.mark.parametrize("pasted", ["", " ", "\n\t"])
def test_nothing(pasted: str) -> None:
    """An empty field is REQUIRED."""
    assert code_of("stripe", pasted) == "REQUIRED"


@pytest.mark.parametrize(
    ("source", "pasted", "code"),
    [
        ("revenuecat", "sk_" + "live_" + BODY, PREFIX),
        ("revenuecat", "sk_" + "test_" + BODY, PREFIX),
        ("revenuecat", LIVE, PREFIX),
        ("revenuecat", "appl_" + BODY, PREFIX),
        ("revenuecat", "SK_" + BODY, PREFIX),
        ("revenuecat", "sk_short", FORMAT),
        ("polar", LIVE, PREFIX),
        ("polar", "polar_at_" + "u_" + BODY, PREFIX),
        ("polar", "POLAR_OAT_" + BODY, PREFIX),
        ("polar", "polar_oat_short", FORMAT),
        ("polar", "polar", FORMAT),
    ],
)
def test_other_sources(source: Source, pasted: str, code: str) -> None:
    """RevenueCat and Polar take their own families alone."""
    assert code_of(source, pasted) == code


@given(st.text(max_size=60))
def test_whatever_is_pasted(pasted: str) -> None:
    """No text makes anything but a refusal with a known code."""
    assert code_of("stripe", pasted) in {"REQUIRED", PREFIX, FORMAT}


def test_key_is_not_shown() -> None:
    """The key is not in the value's repr."""
    assert BODY not in repr(keys.check("stripe", LIVE))
