"""Reading JSON strictly."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opseer_common.errors import RefusedError
from opseer_gateway.web.bodies import LARGEST, fit, parse


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """A body."""

    name: str
    count: int = 0


def code_of(body: bytes) -> str:
    """Return the code of the refusal."""
    with pytest.raises(RefusedError) as refused:
        fit(parse(body), Shape)
    return refused.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"{",
        b'{"count":NaN}',
        b'{"count":-Infinity}',
        b'{"count":1e400}',
        b'{"count":1.5}',
        b"[" * 100_000,
        b"[" * 9 + b"]" * 9,
        b'{"count":' + b"1" * 5_000 + b"}",
        b'{"name":"\xff"}',
        '{"name":"a"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name":"a"}',
        b'{"name":"a"} x',
    ],
)
def test_not_json(body: bytes) -> None:
    """What is not plain, shallow JSON in UTF-8 is INVALID_JSON."""
    assert code_of(body) == "INVALID_JSON"


@pytest.mark.parametrize("part", ['\\"', '"', "\\", "[", '"[', '":', "{}"])
def test_no_body_takes_long(part: str) -> None:
    """16 KiB of anything cost little: every request waits for it (a second once)."""
    body = ('"' + part * (LARGEST // len(part)))[:LARGEST].encode()
    began = time.process_time()
    assert code_of(body) == "INVALID_JSON"
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"name":"a","name":"b"}', "DUPLICATE_FIELD"),
        (b'{"name":"\\ud800"}', "INVALID_TEXT"),
        (b'{"name":"a\\u0000"}', "INVALID_TEXT"),
        (b"[]", "TYPE"),
        (b"{}", "REQUIRED"),
        (b'{"name":null}', "TYPE"),
        (b'{"name":1}', "TYPE"),
        (b'{"name":true}', "TYPE"),
        (b'{"name":"a","count":"1"}', "TYPE"),
        (b'{"name":"a","account_id":"x"}', "UNKNOWN_FIELD"),
    ],
)
def test_unfit(body: bytes, code: str) -> None:
    """JSON that does not fit the shape says which rule it breaks."""
    assert code_of(body) == code


def test_brackets_in_text_are_text() -> None:
    """Brackets inside a string are no nesting."""
    assert fit(parse(b'{"name":"[[[[[[[[[[\\"[["}'), Shape).name == '[[[[[[[[[["[['


def test_unknown_field_is_not_repeated() -> None:
    """The name of an unknown field is not in the answer."""
    with pytest.raises(RefusedError) as refused:
        fit({"name": "a", "secret-word": 1}, Shape)
    assert "secret" not in refused.value.detail


@given(st.binary(max_size=80))
def test_whatever_is_sent(body: bytes) -> None:
    """No bytes raise anything but a refusal."""
    try:
        parse(body)
    except RefusedError as error:
        assert error.code in {"INVALID_JSON", "DUPLICATE_FIELD", "INVALID_TEXT"}  # noqa: PT017
