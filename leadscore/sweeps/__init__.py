"""Sweeps: what `-m` runs. Jobs in processes that take one after the other, known ones left out, one table at the end.

`launcher` is what Hydra calls; `sweep` holds a command's jobs and their folder, `loop` gives jobs to processes,
`worker` is such a process, `outcome` reads what came out from the run folders.
"""
