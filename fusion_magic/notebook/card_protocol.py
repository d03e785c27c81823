"""
What an open page asks about cards and tables, and what it is told.

    attach {keys}                        which of the elements in the page are this kernel's
    cancel {key}                         ask for the job's end
    open {key}                           columns, and how many rows
    page {key, first, count, order, where}     rows as texts, NULL as null
    copy {key, order, where}             rows as CSV

Each but the first carries a ``request``, by which the page knows the answer. ``widgets/card.js`` is the other side.

Whatever a page sends is only as good as the page: each part is checked, and what a key may show is what this kernel
has shown under it. The handlers run in a thread of the kernel's own where JupyterLab sends widgets' messages over
subshells (4.4 and later, ipykernel 7), else when the running cell has ended.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from fusion_magic.errors import FusionError, InvalidArgument
from fusion_magic.present.progress import is_watched
from fusion_magic.present.tables import cell_texts, is_number
from fusion_magic.results.browse import Browser, Filter, Order
from fusion_magic.results.export import csv_text

if TYPE_CHECKING:
    from fusion_magic.results.stored import StoredResult

MOST_ROWS = 1_000  # in one page
MOST_TEXT = 10_000  # characters of a filter's value
MOST_OPEN = 4  # results that are kept open
COPIED_ROWS = 10_000


class Source(Protocol):
    """
    What one element of a page shows.
    """

    def state(self) -> dict[str, Any]:
        """
        ``card``, a job's facts or None; ``title``; and whether it ``has_rows``.
        """
        ...

    def cancel(self) -> object:
        """
        Ask for the job's end.
        """
        ...

    def result(self) -> StoredResult:
        """
        The rows.
        """
        ...


class TableSource:
    """
    A stored result that is shown without a job.
    """

    def __init__(self, result: StoredResult) -> None:
        self._result = result

    def state(self) -> dict[str, Any]:
        """See ``Source.state``."""
        return {"card": None, "title": f"Result {self._result.name}".strip(), "has_rows": True}

    def cancel(self) -> object:
        """See ``Source.cancel``."""
        raise InvalidArgument("A stored result has nothing to cancel.")

    def result(self) -> StoredResult:
        """See ``Source.result``."""
        return self._result


class LivePage:
    """
    The open pages of one kernel.

    Args:
        send: Gives every open page a message.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._sources: dict[str, Source] = {}
        self._attached: set[str] = set()
        self._browsers: OrderedDict[str, Browser] = OrderedDict()
        self._lock = threading.RLock()

    def add(self, key: str, source: Source) -> None:
        """
        Serve the element with that key.
        """
        with self._lock:
            self._sources[key] = source

    def is_attached(self, key: str) -> bool:
        """
        Whether a page has shown interest in it.
        """
        return key in self._attached

    def tell(self, key: str, state: Mapping[str, Any]) -> None:
        """
        Give pages the new state of an element, where one has it.
        """
        if key in self._attached:
            self._send({"is": "state", "key": key, "state": dict(state)})

    def receive(self, message: object) -> None:
        """
        Answer one message of a page; what makes no sense has no answer.
        """
        if not isinstance(message, dict):
            return
        if message.get("do") == "attach":
            self._attach(message.get("keys"))
            return
        request, key, act = message.get("request"), message.get("key"), message.get("do")
        source = self._sources.get(key) if isinstance(key, str) else None
        handler = self._handlers.get(act) if isinstance(act, str) else None
        if source is None or handler is None or not isinstance(request, str):
            return
        try:
            answer = {"is": "answer", **handler(self, str(key), source, message)}
        except FusionError as error:
            answer = {"is": "error", "text": str(error)}
        self._send({**answer, "request": request})

    def _attach(self, keys: object) -> None:
        wanted = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        for key in wanted:
            source = self._sources.get(key)
            if source is not None:
                self._attached.add(key)
                self._send({"is": "state", "key": key, "state": source.state()})

    def _cancel(self, key: str, source: Source, message: dict[str, Any]) -> dict[str, Any]:
        source.cancel()
        self.tell(key, source.state())
        return {}

    def _open(self, key: str, source: Source, message: dict[str, Any]) -> dict[str, Any]:
        browser = self._browser(key, source)
        columns = [{**asdict(c), "is_number": is_number(c.type)} for c in browser.columns]
        return {"columns": columns, "rows": browser.count()}

    def _page(self, key: str, source: Source, message: dict[str, Any]) -> dict[str, Any]:
        browser = self._browser(key, source)
        order, where = _order(message.get("order")), _filter(message.get("where"))
        first = _integer(message.get("first"), "first")
        count = _integer(message.get("count"), "count")
        rows = browser.rows(first, min(count, MOST_ROWS), order=order, where=where)
        return {"rows": cell_texts(rows), "total": browser.count(order, where)}

    def _copy(self, key: str, source: Source, message: dict[str, Any]) -> dict[str, Any]:
        browser = self._browser(key, source)
        order, where = _order(message.get("order")), _filter(message.get("where"))
        rows = browser.rows(0, COPIED_ROWS, order=order, where=where)
        return {
            "text": csv_text(rows),
            "rows": rows.num_rows,
            "total": browser.count(order, where),
        }

    _handlers: Mapping[str, Callable[[LivePage, str, Source, dict[str, Any]], dict[str, Any]]] = {
        "cancel": _cancel,
        "open": _open,
        "page": _page,
        "copy": _copy,
    }

    def _browser(self, key: str, source: Source) -> Browser:
        """
        The opened result of an element; those that were used longest ago are closed.
        """
        with self._lock:
            browser = self._browsers.pop(key, None) or Browser(source.result())
            self._browsers[key] = browser
            while len(self._browsers) > MOST_OPEN:
                self._browsers.popitem(last=False)[1].close()
            return browser


_pages: weakref.WeakKeyDictionary[Any, LivePage | None] = weakref.WeakKeyDictionary()


def live_page(shell: Any) -> LivePage | None:
    """
    The open pages of the kernel of *shell*, or None where nothing can be live: no person, or no anywidget.
    """
    if not is_watched(shell):
        return None
    if shell not in _pages:
        _pages[shell] = _open_page()
    return _pages[shell]


def _open_page() -> LivePage | None:
    try:
        from fusion_magic.notebook.widgets import CardModel
    except ImportError:
        return None
    model = CardModel()
    page = LivePage(model.tell)
    model.on_msg(lambda _model, content, _buffers: page.receive(content))
    return page


def _order(given: object) -> Order | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidArgument("An order names a column.")
    return Order(
        _integer(given.get("column"), "column"), is_descending=given.get("is_descending") is True
    )


def _filter(given: object) -> Filter | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidArgument("A filter names a column.")
    column, operator, value = given.get("column"), given.get("operator"), given.get("value", "")
    if not isinstance(operator, str) or not isinstance(value, str) or len(value) > MOST_TEXT:
        raise InvalidArgument(f"A filter has an operator and a text of at most {MOST_TEXT:,}.")
    return Filter(None if column is None else _integer(column, "column"), operator, value)


def _integer(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise InvalidArgument(f"{what} is a whole number from 0.")
    return value
