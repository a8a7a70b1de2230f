"""Functions of arrays: special functions in log space, quadrature, compiled kernels, distinct rows."""
