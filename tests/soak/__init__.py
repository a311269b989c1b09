"""`make soak`: everybody works at once while one thing after another breaks, and then it is looked at what is left.

| module | |
|---|---|
| schedule | which fault happens when, from a seed (pure) |
| slope | what grew, from samples (pure) |
| clock | robot with a wall clock that can be set |
| clients | browsers, scripts, agents, git and re-indexes, and what they were told |
| chaos | makes the faults happen |
| watch | processes, descriptors and memory, sample by sample |
| verdict | what is left when it is over: writes, repositories, catalogs, index, leftovers |
| run | one soak from start to end, and its summary |
"""
