"""Questions and answers: turns, sessions, suppliers, and live answers in `runs`."""
