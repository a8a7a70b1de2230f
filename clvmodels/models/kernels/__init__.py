"""Compiled kernels of the models: sums of their terms over customers, one file for each family of models.

A sampler asks for the log-likelihood and its gradient some ten thousand times, from several threads at once, and a fit
to millions of customers spends its time there: these functions run without the interpreter, and take several histories
at once. Their arguments are those of the models' own functions after the weights, columns contiguous and sorted by x.
They know numerics only; the specification of a model says which of its functions they sum (`models.kernel.Kernel`).
"""
