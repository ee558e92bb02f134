"""The pure part: values in, values out. Standard library only; no I/O, no clock, no threads, no framework."""
