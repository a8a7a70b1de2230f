"""Pictures of a valuation: how value is spread, when it comes, what it consists of, why it moves, and with what."""
