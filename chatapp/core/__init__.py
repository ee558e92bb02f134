"""Pure functions and values. Standard library only; no I/O, clock, threads or framework."""
