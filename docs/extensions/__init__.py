"""What the pages need beside Sphinx: formulas without a network, and the picture of the layers."""
