"""Fits made with other packages become fits of ours; none of these packages is imported, their objects bring them."""
