"""Users, tokens and stored secrets."""
