"""The embedding model: texts to vectors, behind a small interface.

Layers, each importing only those above it:

    low_thread  a thread of low priority, for work that nobody waits for
    embed       what the rest of search knows of a model
    engine      a model through fastembed
    directory   a model in a directory: the bundled one (`minilm/`), or the operator's
    download    the process that asks the hub
    hub         a model of the hub: its cache, and its download
    choice      what the operator named, else the bundled model
    host        the loaded model, its threads and their limits

Only `low_thread`, `hub` and `host` know Trio.
"""

import os

# onnxruntime tells its maker about each session and keeps what it could not send. It looks when it is loaded, which
# only modules of this package do.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
