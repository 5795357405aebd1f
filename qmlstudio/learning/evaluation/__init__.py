"""What is learned, from which structures, with which hyper-parameters, and how good it is."""
