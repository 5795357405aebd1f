"""The other end of :class:`table.Peer`: needs numpy only, runs in any interpreter from Python 3.9 on."""

import json
import os
import sys
import time
import traceback


def answer(message, namespace):
    """Do what one message asks for."""
    do = message["do"]
    if do == "load":
        import numpy as np

        namespace[message["name"]] = np.load(message["path"], allow_pickle=False)
    elif do == "run":
        exec(compile(message["code"], "<benchmark>", "exec"), namespace)
    elif do == "save":
        import numpy as np

        np.save(message["path"], np.asarray(namespace[message["name"]]), allow_pickle=False)
    elif do == "version":
        from importlib.metadata import version

        return version(message["name"])
    elif do == "time":
        code = compile(message["code"], "<benchmark>", "exec")
        began = time.perf_counter()
        for _ in range(message["repeat"]):
            exec(code, namespace)
        return time.perf_counter() - began
    else:
        raise ValueError(f"unknown message {do!r}")
    return None


def main():
    """Answer line by line until the input ends."""
    # what libraries print must not mix with the answers
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    namespace = {"__name__": "__benchmark__"}
    for line in sys.stdin:
        try:
            reply = {"value": answer(json.loads(line), namespace)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
