"""
What was told of changes, brought to the cache before it is asked.
"""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from fusion_magic.errors import FusionError
from fusion_magic.metadata.openmetadata.staleness import told_by

if TYPE_CHECKING:
    from fusion_magic.metadata.changes import ChangesSince
    from fusion_magic.metadata.openmetadata.cache import Cache

LOOK_EVERY_S = 0.5  # most often
_POSITION = "changes"


class Follower:
    """
    Makes stale in *cache* what changes were told of. Where it stands is kept in the cache, for all who share it.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._changes_since: ChangesSince | None = None
        self._looked_at = -inf

    def follow(self, changes_since: ChangesSince) -> None:
        """See ``FollowsChanges.follow``."""
        self._changes_since = changes_since

    def look(self) -> None:
        """
        Look for changes that nobody who shares the cache has seen.
        """
        if self._changes_since is None or time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        position = self._cache.fact(_POSITION, max_age_s=inf)
        try:
            new = self._changes_since(position)
        except FusionError:
            return  # ages go on
        if new.changes is None or any(not change.entity_type for change in new.changes):
            self._cache.make_all_stale()
        elif new.changes:
            self._cache.tell(told for change in new.changes if (told := told_by(change)))
        if new.position != position:
            self._cache.keep_fact(_POSITION, new.position)
