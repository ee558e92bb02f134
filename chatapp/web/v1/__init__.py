"""OpenAI's protocol: what its clients ask below /v1."""
