"""
Processes that work beside the notebooks: workers, schedulers, and what ends the jobs that a dead one left.
"""
