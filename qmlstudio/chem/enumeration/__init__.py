"""All molecules up to a number of heavy atoms: graphs, skeletons, molecules, filters, stereoisomers, geometries."""
