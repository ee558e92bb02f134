"""Knowledge bases: files in, passages out."""
