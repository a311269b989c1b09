"""Keeping each worker to its own wiki. Runs in core, which asks whether it works, and in each worker after its fork.

| module | what |
|---|---|
| `landlock` | the kernel's interface |
| `places` | which files a worker may reach |
| `system_calls` | what it may not ask the kernel for |
| `limits` | how much it may take |
| `confinement` | all of it, entered once |
| `trial` | whether it works on this machine |

Standard library, and `pyseccomp` where the filter is made.
"""
