"""Web pages as files of a knowledge base: their addresses, how they are fetched and replaced."""
