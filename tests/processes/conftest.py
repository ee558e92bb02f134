"""The document worker is tested on the same shelf as the knowledge side."""

from tests.knowledge.conftest import chinese_pdf, english_pdf, shelf

__all__ = ["chinese_pdf", "english_pdf", "shelf"]
