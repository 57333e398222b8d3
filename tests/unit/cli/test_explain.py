"""`opseer explain`: one line per case whatever the case is, and arithmetic in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opseer_cli.explain import explain_cases, explain_words
from opseer_common.errors import RefusedError
from opseer_mrr.domain.policy import Policy

_DATA = Path(__file__).parents[2] / "data"
_BASIL = json.loads((_DATA / "stripe_subscriptions.json").read_text())[
    "2025-08-27.basil"
]
_AT = datetime(2026, 1, 15, tzinfo=UTC)


def _lines(*cases: Any) -> list[dict[str, Any]]:
    document = json.dumps({"cases": cases}).encode()
    return [json.loads(line) for line in explain_cases(document)]


def _snapshot(**fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"as_of": 1_768_478_400, "subscriptions": [_BASIL]}
    return {"id": "one", "kind": "snapshot", "input": {**given, **fields}}


def test_a_snapshot() -> None:
    """2 x 10.00 USD at half price: every figure of a result is there."""
    assert _lines(_snapshot()) == [
        {
            "id": "one",
            "result": {
                "mrr": {"usd": 1000},
                "unconverted": {},
                "settlement": 1000,
                "active_subscriptions": 1,
            },
        }
    ]


def test_without_a_rate() -> None:
    """A currency without a rate is in `unconverted` and not in the settlement."""
    fx = {"settlement": "eur", "rates": {"2026-01-16": {"usd": 0.9}}}
    (line,) = _lines(_snapshot(fx=fx))
    result = line["result"]
    assert (result["unconverted"], result["settlement"]) == ({"usd": 1000}, 0)


def test_the_day_of_the_rates() -> None:
    """`as_of_day` names the day whose rates are taken; they are exact decimals."""
    fx = {"settlement": "eur", "rates": {"2026-01-16": {"usd": 0.9}}}
    (line,) = _lines(_snapshot(fx=fx, as_of_day="2026-01-16"))
    assert line["result"]["settlement"] == 900


def test_copies_of_a_template() -> None:
    """`repeat` writes a template out, with ids of their own."""
    many = {"repeat": 3, "template": _BASIL}
    (line,) = _lines(_snapshot(subscriptions=[many]))
    assert line["result"]["mrr"] == {"usd": 3000}


def test_grace_of_past_due() -> None:
    """`_past_due_since` dates a past_due subscription for the policy's grace."""
    late = {**_BASIL, "status": "past_due", "_past_due_since": 1_768_478_400 - 86_400}
    case = _snapshot(subscriptions=[late])
    totals = []
    for days in (1, 2):
        (line,) = _lines({**case, "policy": {"past_due_grace_days": days}})
        totals.append(line["result"]["mrr"])
    assert totals == [{}, {"usd": 1000}]


def test_movements_have_every_day() -> None:
    """Each day of the range has a row with all categories, at both grains."""
    case = {
        "id": 7,
        "kind": "movements",
        "input": {
            "from": "2026-01-09",
            "to": "2026-01-11",
            "initial": [],
            "events": [
                {
                    "id": "evt_1",
                    "type": "customer.subscription.created",
                    "created": 1_768_035_600,
                    "data": {"object": _BASIL},
                }
            ],
        },
    }
    (line,) = _lines(case)
    for grain in ("grain_subscription", "grain_customer"):
        rows = line["result"][grain]
        assert list(rows) == ["2026-01-09", "2026-01-10", "2026-01-11"]
        assert rows["2026-01-10"] == {
            "new": 1000,
            "expansion": 0,
            "contraction": 0,
            "churned": 0,
            "net": 1000,
            "of_which_reactivation": 0,
            "fx": 0,
            "snapshot": 1000,
        }
        assert [row["snapshot"] for row in rows.values()] == [0, 1000, 1000]


@pytest.mark.parametrize(
    "case",
    [
        {"id": "one", "kind": "identity", "input": {}},
        {"id": "one"},
        {"id": "one", "kind": "snapshot"},
        {"id": "one", "kind": "snapshot", "input": {"as_of": "now"}},
        {"id": "one", "kind": "snapshot", "input": {"as_of": 10**30}},
        _snapshot(subscriptions=[{}]),
        _snapshot(fx={"settlement": "eur", "rates": {"someday": {"usd": 1}}}),
        _snapshot(as_of_day="someday"),
        {**_snapshot(), "policy": {"trial": "maybe"}},
        {**_snapshot(), "policy": {"timezone": "Mars/Olympus"}},
        {"id": "one", "kind": "movements", "input": {"from": "x", "to": "y"}},
    ],
)
def test_a_case_that_cannot_be_answered(case: dict[str, Any]) -> None:
    """It has an error on its own line, and the cases after it are answered."""
    first, second = _lines(case, {**_snapshot(), "id": "two"})
    assert first["id"] == "one"
    assert first["error"]
    assert second["result"]["mrr"] == {"usd": 1000}


@pytest.mark.parametrize("document", [b"{", b"[]", b'{"cases": 7}', b'{"cases": [7]}'])
def test_a_file_without_cases(document: bytes) -> None:
    """A file that is none is refused as a whole."""
    with pytest.raises(RefusedError) as caught:
        list(explain_cases(document))
    assert caught.value.code == "INVALID_CASES"


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("usd"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_BASIL, *_BASIL["items"]["data"][0], "data", "coupon"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(_BASIL)), _anything)
@settings(max_examples=150, deadline=None)
def test_any_damage_is_an_error_or_an_answer(key: str, value: object) -> None:
    """Whatever stands in a field, the case is answered or says what is wrong."""
    (line,) = _lines(_snapshot(subscriptions=[{**_BASIL, key: value}]))
    assert ("error" in line) != ("result" in line)


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], None])
def test_words(wrap: Any) -> None:
    """One subscription, an array or a list is told step by step."""
    shown = {"object": "list", "data": [_BASIL]} if wrap is None else wrap(_BASIL)
    lines = list(explain_words(json.dumps(shown).encode(), Policy(), _AT))
    assert lines == [
        "sub_1 (active, customer cus_1)",
        "  plan_1: 2 x 10.00 USD per month = 20.00 USD per month",
        "  - discount of 50 % (forever): 10.00 USD",
        "  = 10.00 USD per month",
    ]


def test_words_say_what_does_not_count() -> None:
    """A trial is worked out and said not to count."""
    document = json.dumps({**_BASIL, "status": "trialing"}).encode()
    *_, last = explain_words(document, Policy(), _AT)
    assert last == "  not counted: on trial"


def test_words_lead_to_the_dashboard() -> None:
    """Where the mode is told, the last line is the subscription's page at Stripe."""
    for livemode, mode in ((True, ""), (False, "/test")):
        document = json.dumps({**_BASIL, "livemode": livemode}).encode()
        *_, last = explain_words(document, Policy(), _AT)
        assert last == f"  https://dashboard.stripe.com{mode}/subscriptions/sub_1"


def test_words_of_nothing() -> None:
    """What is no subscription is refused."""
    with pytest.raises(RefusedError) as caught:
        list(explain_words(b'{"data": [7]}', Policy(), _AT))
    assert caught.value.code == "INVALID_JSON"
