"""The pump's interface to C: intrusive lists, the poller, threads, sockets and PTYs."""

from libc.stdint cimport int64_t, uint8_t

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "poller.h" nogil:
    enum:
        POLLER_BATCH
    int POLLER_READ, POLLER_WRITE, MSG_NOSIGNAL
    int CLOCK_MONOTONIC, CLOCK_REALTIME
    ctypedef struct poller_event:
        void* owner
        unsigned ready
    int poller_open()
    int poller_watch(int poller, int fd, void* owner, unsigned was, unsigned want)
    int poller_wait(int poller, poller_event* events, int look)
    int alarm_open(int poller, void* owner)
    void alarm_set(int poller, int fd, void* owner, int64_t when)
    void alarm_clear(int fd)
    void alarm_close(int fd)
    int waker_open(int* fds)
    void waker_wake(int* fds)
    void waker_clear(int* fds)
    void waker_close(int* fds)
    void socket_prepare(int fd, int unsent, int buffer)
    int64_t clock_ns(int which)

cdef extern from *:
    """
    #include <pthread.h>
    #include <signal.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <termios.h>

    static int set_size(int fd, unsigned short rows, unsigned short cols, unsigned short width, unsigned short height)
    {
        struct winsize size = {rows, cols, width, height};
        return ioctl(fd, TIOCSWINSZ, &size);
    }
    static int set_nonblocking(int fd)
    {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    /* Whether the terminal would interrupt, quit or stop the program at one of these bytes. */
    static int interrupts(int fd, const unsigned char *data, size_t n)
    {
        struct termios mode;
        if (tcgetattr(fd, &mode) < 0 || !(mode.c_lflag & ISIG))
            return 0;
        for (size_t i = 0; i < n; i++)
            if (data[i] != (unsigned char)_POSIX_VDISABLE &&
                (data[i] == mode.c_cc[VINTR] || data[i] == mode.c_cc[VQUIT] || data[i] == mode.c_cc[VSUSP]))
                return 1;
        return 0;
    }
    /* A lane takes no signals: the interpreter handles them. */
    static int start_lane(pthread_t *thread, void *(*run)(void *), void *lane)
    {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int error = pthread_create(thread, NULL, run, lane);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error;
    }
    """
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    int pthread_mutex_init(pthread_mutex_t*, void*) nogil
    int pthread_mutex_lock(pthread_mutex_t*) nogil
    int pthread_mutex_unlock(pthread_mutex_t*) nogil
    int pthread_mutex_destroy(pthread_mutex_t*) nogil
    int pthread_join(pthread_t, void**) nogil
    int start_lane(pthread_t*, void* (*)(void*) noexcept nogil, void*) nogil
    int set_size(int, unsigned short, unsigned short, unsigned short, unsigned short) nogil
    int set_nonblocking(int) nogil
    int interrupts(int, const uint8_t*, size_t) nogil
    ssize_t sendmsg(int, const msghdr*, int) nogil
    ssize_t recv(int, void*, size_t, int) nogil
    int SHUT_WR
    int shutdown(int, int) nogil
    ssize_t read(int, void*, size_t) nogil
    ssize_t write(int, const void*, size_t) nogil
    int close(int) nogil
