"""The benchmarks of `make bench`: modules whose `measure` yields tables.

None is a timed test: each figure is shown beside its alternative from the same run.
"""
