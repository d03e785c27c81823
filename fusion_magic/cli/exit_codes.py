"""
What the ``fusion`` command exits with.
"""

from __future__ import annotations

DONE, WRONG, MISUSED, UNAVAILABLE, INTERRUPTED, UNREAD = 0, 1, 2, 3, 130, 141
