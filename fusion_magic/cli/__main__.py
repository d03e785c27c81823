"""
``python -m fusion_magic.cli``.
"""

from __future__ import annotations

import sys

from fusion_magic.cli import main

sys.exit(main())
