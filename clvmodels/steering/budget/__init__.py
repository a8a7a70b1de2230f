"""Budgets: whom to contact with what, and what one more unit of money brings."""
