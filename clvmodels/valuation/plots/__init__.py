"""Pictures of a valuation: how value is spread, when it comes, what it consists of, why it moved, what it depends on."""
