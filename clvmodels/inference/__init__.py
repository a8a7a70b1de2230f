"""From histories to fits: maximum likelihood, the result of a fit, and its predictions."""
