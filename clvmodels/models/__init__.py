"""The models: one file of mathematics each, and the registry."""
