"""The pages of a document as they look, and where a passage stands on them."""
