"""Functions of arrays: special functions in log space, quadrature, interpolation, distinct rows, work in threads."""
