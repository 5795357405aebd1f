"""Reference properties by quantum chemistry: methods, tasks, and the processes in which they run.

The engines (tblite, pyscf) are optional and are only ever imported in processes of their own: one that crashes, hangs
or leaks takes nothing along. :func:`qmlstudio.quantum.batch.compute` is the entry.
"""
