"""Results for readers: tables on a terminal, files on disk."""
