"""
The demo: a folder with a catalog, notebooks and real data, and how larger data are made.
"""
