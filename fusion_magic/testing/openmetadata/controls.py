"""
What a test turns to make the server slow, wrong, away, behind, or less trusting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .listener import Core, Fault, RecordedRequest
from .people import make_token
from .subscriptions import Delivery


class Controls:
    """
    The knobs of a server.

    Attributes:
        token: That of the bot ``ingestion-bot``, which may do what the bot's role may.
        person_token: That of an ordinary user, who sees secrets masked and may change descriptions, tags and owners.
        admin_token: That of an admin, who may do everything and sees secrets masked.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tokens = 0
        self.token = self.renew_token()
        self.person_token = self._issue("ada", is_bot=False)
        self.admin_token = self._issue("admin", is_bot=False)

    @property
    def requests(self) -> list[RecordedRequest]:
        """
        What was asked since the start or ``clear_requests``, oldest first.
        """
        return list(self._core.requests)

    def clear_requests(self) -> None:
        """
        Forget what was asked.
        """
        self._core.requests.clear()

    @property
    def delay_s(self) -> float:
        """
        Seconds that each answer waits.
        """
        return self._core.delay_s

    @delay_s.setter
    def delay_s(self, value: float) -> None:
        self._core.delay_s = value

    def fail(
        self,
        status: int = 503,
        *,
        times: int = 1,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        page: bool = False,
        cut: bool = False,
    ) -> None:
        """
        Let the next answers be wrong.

        Args:
            status: Their HTTP status.

            times: How many of them.

            path: Only those whose path has this in it.

            headers: What they have besides, such as ``{"Retry-After": "2"}``.

            page: They are an HTML page, as a proxy or a wrong URL gives it.

            cut: The connection breaks instead.
        """
        self._core.faults.append(Fault(status, times, path, headers or {}, page, cut))

    def renew_token(self) -> str:
        """
        Give the bot a new token; the old one is refused from here on.

        Returns:
            The new ``token``.
        """
        self.revoke_token()
        self.token = self._issue("ingestion-bot", is_bot=True)
        return self.token

    def revoke_token(self) -> None:
        """
        Refuse the bot's token.
        """
        tokens = self._core.people.by_token
        for token in [one for one, name in tokens.items() if name == "ingestion-bot"]:
            del tokens[token]

    def set_token(self, token: str) -> None:
        """
        Let *token* be the bot's, whatever it looks like.
        """
        self.revoke_token()
        self._core.people.by_token[token] = "ingestion-bot"
        self.token = token

    def deny(self, *operations: str, user: str = "ingestion-bot") -> None:
        """
        Take rights away, such as ``EditLineage``, which goes before ``EditAll``.
        """
        self._core.people.by_name[user].denied |= set(operations)

    def allow(self, *operations: str, user: str = "ingestion-bot") -> None:
        """
        Give rights.
        """
        principal = self._core.people.by_name[user]
        principal.rights |= set(operations)
        principal.denied -= set(operations)

    @property
    def index_lags(self) -> bool:
        """
        Whether the search index leaves out what was written since this was set.
        """
        return self._core.state.index_lags

    @index_lags.setter
    def index_lags(self, value: bool) -> None:
        self._core.state.index_lags = value

    def reindex(self) -> None:
        """
        Let the search index see everything that was written.
        """
        self._core.state.unseen.clear()

    def deliveries(self) -> list[Delivery]:
        """
        What was posted to webhooks, after everything that waits was posted.
        """
        self._core.hooks.wait()
        return list(self._core.hooks.deliveries)

    @property
    def on_trigger(self) -> Callable[[str], None] | None:
        """
        What runs when an ingestion pipeline is triggered, with the pipeline's FQN; an error makes it a failed run.

        Where it is None, the server has no runner: pipelines can be neither deployed nor triggered.
        """
        return self._core.on_trigger

    @on_trigger.setter
    def on_trigger(self, value: Callable[[str], None] | None) -> None:
        self._core.on_trigger = value

    def _issue(self, name: str, *, is_bot: bool) -> str:
        self._tokens += 1
        token = make_token(name, is_bot=is_bot, number=self._tokens)
        self._core.people.by_token[token] = name
        return token
