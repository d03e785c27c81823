"""
JSON Patch as RFC 6902 has it.
"""

from __future__ import annotations

from typing import Any

import pytest

from fusion_magic.testing.openmetadata.answers import Refusal
from fusion_magic.testing.openmetadata.json_patch import apply_patch

DOCUMENT = {"a": {"b": [1, 2]}, "x/y": 1, "m~n": 2}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/c", "value": 1}, {**DOCUMENT, "c": 1}),
        ({"op": "add", "path": "/a/b/0", "value": 0}, {**DOCUMENT, "a": {"b": [0, 1, 2]}}),
        ({"op": "add", "path": "/a/b/-", "value": 3}, {**DOCUMENT, "a": {"b": [1, 2, 3]}}),
        ({"op": "remove", "path": "/a/b/1"}, {**DOCUMENT, "a": {"b": [1]}}),
        ({"op": "replace", "path": "/x~1y", "value": 9}, {**DOCUMENT, "x/y": 9}),
        ({"op": "replace", "path": "/m~0n", "value": 9}, {**DOCUMENT, "m~n": 9}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, DOCUMENT),
        ({"op": "move", "from": "/a/b", "path": "/c"}, {**DOCUMENT, "a": {}, "c": [1, 2]}),
        ({"op": "copy", "from": "/x~1y", "path": "/c"}, {**DOCUMENT, "c": 1}),
        ({"op": "replace", "path": "", "value": 1}, 1),
    ],
)
def test_operations(operation: dict[str, Any], expected: Any) -> None:
    assert apply_patch(DOCUMENT, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "add", "path": "/none/b", "value": 1},
        {"op": "add", "path": "/a/b/9", "value": 1},
        {"op": "add", "path": "/a/b/x", "value": 1},
        {"op": "add", "path": "/x~1y/z", "value": 1},
        {"op": "test", "path": "/a", "value": 1},
        {"op": "guess", "path": "/a"},
    ],
)
def test_what_does_not_fit_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        apply_patch(DOCUMENT, [operation])
