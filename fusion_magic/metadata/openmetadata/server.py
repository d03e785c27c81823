"""
Requests to one OpenMetadata server, several of them side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fusion_magic.metadata.openmetadata.search import Question
from fusion_magic.openmetadata.address import Address
from fusion_magic.openmetadata.client import OpenMetadataClient
from fusion_magic.openmetadata.messages import Asset, AssetList, User, Version

AT_ONCE = 8  # requests side by side
MOST_LISTED = 1000
_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_Message = TypeVar("_Message")


class OpenMetadataServer:
    """
    One server. Safe to use from several threads.
    """

    def __init__(self, client: OpenMetadataClient) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fusion-openmetadata")
        self._version: tuple[int, ...] | None = None

    @property
    def address(self) -> Address:
        """
        Where it is.
        """
        return self._client.address

    def version(self) -> tuple[int, ...]:
        """
        Its version, (1, 6, 0).
        """
        if self._version is None:
            said = self._client.get("system/version", Version)
            numbers = (said.version if said else "").split("-")[0].split(".")
            self._version = tuple(int(n) for n in numbers if n.isdigit())
        return self._version

    def about(self) -> str:
        """
        Where it is, its version, and whose the token is.
        """
        version = ".".join(map(str, self.version()))
        user = self._client.get("users/loggedInUser", User)
        who = f" as {user.name}" if user else ""
        kind = " (a bot)" if user and user.is_bot else ""
        return f"{self.address.url}, OpenMetadata {version}{who}{kind}"

    def get(
        self, path: str, kind: type[_Message], query: Question | None = None
    ) -> _Message | None:
        """See ``OpenMetadataClient.get``."""
        return self._client.get(path, kind, query)

    def fits(self, path: str, query: Question) -> bool:
        """See ``OpenMetadataClient.fits``."""
        return self._client.fits(path, query)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[list[Asset]]:
        """
        A list, page by page.
        """
        after: str | None = None
        while True:
            asked: Question = {**query, "limit": MOST_LISTED, "after": after}
            page = self.get(path, AssetList, asked)
            if page is None:
                return
            yield page.data
            after = page.paging.after
            if after is None:
                return

    def listed(self, path: str, query: Mapping[str, str] | None = None) -> list[Asset]:
        """
        A whole list.
        """
        return [asset for page in self.pages(path, query or {}) for asset in page]

    def soon(self, ask: Callable[[_Asked], _Answer], item: _Asked) -> Future[_Answer]:
        """
        The answer to come of a question that is asked beside others; *ask* makes one request.
        """
        return self._pool.submit(ask, item)

    def side_by_side(
        self, ask: Callable[[_Asked], _Answer], items: Sequence[_Asked]
    ) -> list[_Answer]:
        """
        The answers to *ask* for each of *items*, in their order; *ask* makes one request.
        """
        if len(items) < 2:
            return [ask(item) for item in items]
        return list(self._pool.map(ask, items))

    def close(self) -> None:
        """
        Let go of threads and connections.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()
