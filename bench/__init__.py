"""What `make bench` runs: each benchmark is a module whose `measure` yields tables.

Not one is a timed test: every number is shown beside its alternative from the same run.
"""
