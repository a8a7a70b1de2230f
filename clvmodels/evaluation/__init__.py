"""How good a fit is: holdout scores, comparison, checks in money, pictures."""
