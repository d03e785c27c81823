"""
Which versions a contract is for, and which users it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Contract = TypeVar("Contract", bound=Callable[..., Any])


def versions(since: str = "0.0", until: str = "99.0") -> Callable[[Contract], Contract]:
    """
    Only from *since* on, and before *until*.
    """

    def mark(contract: Contract) -> Contract:
        contract.versions = (since, until)  # type: ignore[attr-defined] # read by the conftest
        return contract

    return mark


def needs(*who: str) -> Callable[[Contract], Contract]:
    """
    The contract asks as an ``admin`` or a ``person``, too, or the server has to reach us by ``loopback``.
    """

    def mark(contract: Contract) -> Contract:
        contract.needs = who  # type: ignore[attr-defined] # read by the conftest
        return contract

    return mark
