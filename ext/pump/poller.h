/* Readiness of descriptors (level-triggered), a waker and an alarm for a thread: epoll on Linux, kqueue on macOS and BSD.
 * Both halves have the same functions, so the code above is the same on all systems. */
#ifndef VIBETUNNEL_POLLER_H
#define VIBETUNNEL_POLLER_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define POLLER_READ 1u
#define POLLER_WRITE 2u

#ifndef MSG_NOSIGNAL /* macOS: SO_NOSIGPIPE is set on the socket instead */
#define MSG_NOSIGNAL 0
#endif

typedef struct {
    void *owner;
    unsigned ready; /* POLLER_READ | POLLER_WRITE; both after a hang-up or an error, so that the next call meets it */
} poller_event;

#define POLLER_BATCH 256 /* events taken a turn; the rest come the next turn */

static inline int64_t clock_ns(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#ifdef __linux__

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static inline int poller_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

/* Change what `fd` is watched for from `was` to `want`; 0 means not at all. Returns 0, or -1 with errno. */
static inline int poller_watch(int poller, int fd, void *owner, unsigned was, unsigned want)
{
    struct epoll_event event = {0};
    event.events = (want & POLLER_READ ? EPOLLIN : 0u) | (want & POLLER_WRITE ? EPOLLOUT : 0u);
    event.data.ptr = owner;
    return epoll_ctl(poller, !want ? EPOLL_CTL_DEL : !was ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

/* Wait for events, or just look. Returns their number, 0 when there are none or after a signal, -1 with errno.
   There is no time-out: arming and disarming one costs a timer each time, and a keystroke needs none (see alarm_set). */
static inline int poller_wait(int poller, poller_event *events, int look)
{
    struct epoll_event ready[POLLER_BATCH];
    int n = epoll_wait(poller, ready, POLLER_BATCH, look ? 0 : -1);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < n; i++) {
        unsigned all = ready[i].events & (EPOLLERR | EPOLLHUP) ? POLLER_READ | POLLER_WRITE : 0u;
        events[i].owner = ready[i].data.ptr;
        events[i].ready = all | (ready[i].events & EPOLLIN ? POLLER_READ : 0u) | (ready[i].events & EPOLLOUT ? POLLER_WRITE : 0u);
    }
    return n;
}

/* An alarm for one poller. Returns its descriptor, which events with `owner` come from, or -1 with errno. */
static inline int alarm_open(int poller, void *owner)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd >= 0 && poller_watch(poller, fd, owner, 0, POLLER_READ) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Have it go off once at `when` (CLOCK_MONOTONIC, ns, not 0), instead of any time that was set before. */
static inline void alarm_set(int poller, int fd, void *owner, int64_t when)
{
    struct itimerspec at = {{0, 0}, {when / 1000000000, when % 1000000000}};
    (void)poller;
    (void)owner;
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* It has gone off. */
static inline void alarm_clear(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);
    (void)n;
}

static inline void alarm_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* fds[0] is watched for reading, fds[1] written to; here both are one eventfd. Returns 0, or -1 with errno. */
static inline int waker_open(int fds[2])
{
    fds[0] = fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fds[0] < 0 ? -1 : 0;
}

static inline void socket_quiet(int fd) { (void)fd; }

#else /* kqueue */

#include <sys/event.h>

static inline int poller_open(void) { return kqueue(); }

static inline int poller_watch(int poller, int fd, void *owner, unsigned was, unsigned want)
{
    struct kevent change[2];
    int n = 0;
    if ((was ^ want) & POLLER_READ)
        EV_SET(&change[n++], fd, EVFILT_READ, want & POLLER_READ ? EV_ADD : EV_DELETE, 0, 0, owner);
    if ((was ^ want) & POLLER_WRITE)
        EV_SET(&change[n++], fd, EVFILT_WRITE, want & POLLER_WRITE ? EV_ADD : EV_DELETE, 0, 0, owner);
    return n ? kevent(poller, change, n, NULL, 0, NULL) : 0;
}

static inline int poller_wait(int poller, poller_event *events, int look)
{
    struct kevent ready[POLLER_BATCH];
    struct timespec none = {0, 0};
    int n = kevent(poller, NULL, 0, ready, POLLER_BATCH, look ? &none : NULL);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < n; i++) {
        events[i].owner = ready[i].udata;
        events[i].ready = ready[i].filter == EVFILT_WRITE ? POLLER_WRITE : POLLER_READ;
    }
    return n;
}

/* Here the alarm is an event of the poller itself. Its descriptor is unused, but must not be negative. */
static inline int alarm_open(int poller, void *owner)
{
    (void)poller;
    (void)owner;
    return 0;
}

static inline void alarm_set(int poller, int fd, void *owner, int64_t when)
{
    struct kevent change;
    int64_t left = when - clock_ns(CLOCK_MONOTONIC);
    (void)fd;
    EV_SET(&change, 0, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, left > 0 ? left : 0, owner);
    kevent(poller, &change, 1, NULL, 0, NULL);
}

static inline void alarm_clear(int fd) { (void)fd; }

static inline void alarm_close(int fd) { (void)fd; }

static inline int waker_open(int fds[2])
{
    if (pipe(fds) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static inline void socket_quiet(int fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

#endif

/* Bound what the kernel holds for a socket: at most about `unsent` bytes that are not on the wire yet, `buffer` in all (0:
   the kernel's own choice). A pair of unix sockets has only the second. */
static inline void socket_prepare(int fd, int unsent, int buffer)
{
    socket_quiet(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    if (buffer)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
}

/* If the pipe or counter is full, the other side wakes anyway. */
static inline void waker_wake(const int fds[2])
{
    uint64_t one = 1;
    ssize_t n = write(fds[1], &one, sizeof one);
    (void)n;
}

static inline void waker_clear(const int fds[2])
{
    uint64_t count[8];
    while (read(fds[0], count, sizeof count) == sizeof count)
        ;
}

static inline void waker_close(const int fds[2])
{
    close(fds[0]);
    if (fds[1] != fds[0])
        close(fds[1]);
}

#endif
