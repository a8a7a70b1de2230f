"""Pictures of fits: what a model says about histories, customers and spend, and what its priors say."""
