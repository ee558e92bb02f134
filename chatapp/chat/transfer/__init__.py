"""Chats out and in: exports, and imports of our own and other products' files."""
