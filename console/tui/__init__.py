"""The full-screen console (Textual)."""
