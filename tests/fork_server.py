"""Runs Python programs in forks of one process that has imported the large libraries: no program waits for them.

Started by `tests/conftest.py` (``programs``), and spoken to in lines of JSON. For each request it forks once for a
keeper, which leaves the exit code in the job's folder, and again for the program, which runs as ``python FILE`` would:
as ``__main__``, from its flags on, to the interpreter's orderly end. None of this project's modules is imported before.
"""

import gc
import json
import os
import runpy
import signal
import sys
import tempfile

import apache_beam  # noqa: F401
import gin  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import orbit  # noqa: F401
import rich.progress  # noqa: F401
import tensorflow  # noqa: F401


def serve() -> dict:
    """Answers each request with the number of the process that runs it; returns in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        reader, writer = os.pipe()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child = os.fork()
            if child == 0:
                return job
            os.write(writer, b"%d\n" % child)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with open(f"{job['folder']}/code.tmp", "w") as file:
                file.write(str(code))
            os.rename(f"{job['folder']}/code.tmp", f"{job['folder']}/code")
            os._exit(0)
        os.close(writer)
        print(os.read(reader, 20).decode().strip(), flush=True)
        os.close(reader)
    sys.exit(0)


def become(job: dict) -> None:
    """Makes this process that of ``python FILE ARGUMENTS``."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for descriptor, path in ((0, os.devnull), (1, f"{job['folder']}/stdout"), (2, f"{job['folder']}/stderr")):
        opened = os.open(path, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(job["cwd"])
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    sys.argv = [job["file"], *job["arguments"]]
    sys.path[0] = os.path.dirname(job["file"])


if __name__ == "__main__":
    print("ready", flush=True)
    job = serve()
    become(job)
    runpy.run_path(job["file"], run_name="__main__")
