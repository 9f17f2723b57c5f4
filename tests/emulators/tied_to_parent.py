"""Becomes another program, which the kernel kills when the process that started it has ended.

python -I -S tied_to_parent.py PARENT_ID COMMAND ARGUMENT... Linux only. It runs in the new process
after its start: what runs between fork and exec (`preexec_fn`) can hang where there are threads.
"""

import ctypes
import os
import signal
import sys

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before that, and then nobody will be told any more.
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that started this has ended")
    os.execv(sys.argv[2], sys.argv[2:])
