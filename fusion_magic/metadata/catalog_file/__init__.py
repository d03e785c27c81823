"""
Names from a catalog file, ``catalog.yaml``.
"""
