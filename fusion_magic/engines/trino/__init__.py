"""
The distributed engine: Trino, over its REST protocol.
"""
