"""The token of the administrator in tests that run in this process."""

TOKEN = "a-token-of-the-tests"
