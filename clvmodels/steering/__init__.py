"""Steering: campaigns and growth drivers, from a plan to what it did to customer equity."""
