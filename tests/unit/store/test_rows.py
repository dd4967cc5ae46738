"""A payload's JSON is read by a quick reader; it must give what Python's own gives, or leave it to that."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.store import chain
from deskmate.store.rows import parsed

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(_VALUES)
def test_a_canonical_payload_is_read_as_python_reads_it(value: object) -> None:
    text = chain.canonical_text(chain.normal(value))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair is an escape by the time it is stored
        text = chain.canonical(chain.normal(value)).decode()
    found = parsed(text)
    assert found == json.loads(text)
    assert chain.canonical_text(found) == chain.canonical_text(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300 + "]" * 300,
        r'{"text":"\ud800"}',
        r'{"text":"\ud83d\ude00"}',
        '{"a":1,"a":2}',
        " [1] ",
        "123456789012345678901234567890",
        "-0",
        "-0.0",
        "1e-320",
        "0.1000000000000000055511151231257827",
        "1e400",
    ],
)
def test_what_is_unusual_is_read_as_python_reads_it(text: str) -> None:
    found, expected = parsed(text), json.loads(text)
    assert found == expected
    assert type(found) is type(expected)
    if isinstance(expected, float):
        assert math.copysign(1, found) == math.copysign(1, expected)


@pytest.mark.parametrize("text", ["", "{", "[1] x", '{"a":}', "'a'", '"\x00"', "01"])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)
