"""Learning: kernels, regression, evaluation, embedding. Importing the package itself imports nothing heavy."""
