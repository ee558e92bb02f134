"""From an uploaded file to stored, searchable chunks."""
