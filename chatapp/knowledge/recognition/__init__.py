"""Text recognition: pictures of pages in, lines of text with their places out."""
