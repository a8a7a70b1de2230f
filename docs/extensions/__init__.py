"""What the pages need beside Sphinx: formulas without a network, the picture of the layers, names that share a line."""
