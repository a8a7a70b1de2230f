"""Campaigns: planned, assigned, checked, and evaluated against a holdout."""
