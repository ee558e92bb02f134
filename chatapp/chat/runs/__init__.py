"""Live answers: the only part of a question that runs in greenlets."""
