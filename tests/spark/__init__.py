"""Real Spark beside DuckDB."""
