"""File formats: one module a kind, each makes a `Document` of a file."""
