"""Knowledge bases: from uploaded files to the passages that answer a question."""
