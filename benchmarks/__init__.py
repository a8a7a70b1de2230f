"""Problems x contestants: what a user's call costs here and in the peers. Run ``python -m benchmarks.run``."""
