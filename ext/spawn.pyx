"""Starts a program on a new pty with vfork (spawn.h). Linux only."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.errno cimport ENOMEM
from libc.stdlib cimport calloc, free

import os

cdef extern from "spawn.h":
    """
    #ifndef __linux__
    #error "spawn.pyx is for Linux"
    #endif
    """
    int STEP_TERMINAL, STEP_PROCESS, STEP_PREPARE, STEP_FOLDER, STEP_EXEC
    struct rlimit:
        unsigned long rlim_cur
        unsigned long rlim_max
    ctypedef struct spawn_order:
        const char* program
        char** argv
        char** environment
        const char* folder
        unsigned short rows
        unsigned short cols
        rlimit files
        int cgroup
    ctypedef struct spawn_failure:
        int step
        int error
    int spawn_start(spawn_order* order, int* master, spawn_failure* failure)

STEPS = {
    STEP_TERMINAL: "terminal", STEP_PROCESS: "process", STEP_PREPARE: "prepare", STEP_FOLDER: "folder",
    STEP_EXEC: "exec",
}


class StepFailed(OSError):
    """A program could not be started. `step` is terminal, process, prepare, folder or exec; errno says why."""

    def __init__(self, number, step):
        super().__init__(number, os.strerror(number))
        self.step = step


cdef char** words(list texts) except NULL:
    """Return a C array of the texts. The caller frees the array; the list still owns the texts."""
    cdef char** all = <char**>calloc(len(texts) + 1, sizeof(char*))
    cdef Py_ssize_t i
    if all is NULL:
        raise MemoryError
    for i in range(len(texts)):
        if not isinstance(texts[i], bytes):
            free(all)
            raise TypeError(f"expected bytes, got {type(texts[i]).__name__}")
        all[i] = PyBytes_AS_STRING(texts[i])
    return all


def start(
    bytes program not None, list argv not None, list environment not None, bytes folder not None, *,
    unsigned short rows, unsigned short cols, open_files, int cgroup=-1,
):
    cdef spawn_order order
    cdef spawn_failure failure
    cdef int master = -1
    cdef int pid
    cdef char** c_argv = NULL
    cdef char** c_environment = NULL
    order.program = PyBytes_AS_STRING(program)
    order.folder = PyBytes_AS_STRING(folder)
    order.rows = rows
    order.cols = cols
    order.cgroup = cgroup
    # -1 is "no limit", in Python and in C.
    order.files.rlim_cur = <unsigned long>(<long>open_files[0])
    order.files.rlim_max = <unsigned long>(<long>open_files[1])
    try:
        c_argv = words(argv)
        c_environment = words(environment)
        order.argv = c_argv
        order.environment = c_environment
        pid = spawn_start(&order, &master, &failure)
    finally:
        free(c_argv)
        free(c_environment)
    if pid < 0:
        raise StepFailed(failure.error or ENOMEM, STEPS[failure.step])
    return pid, master, order.cgroup >= 0
