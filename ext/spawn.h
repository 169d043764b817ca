/* Starts a program on a new pty with vfork(2), which copies no memory: the child uses the parent's until it execs.
 * A child that starts in a cgroup is made by clone3(2) instead, with a copy of the memory; the parent waits all the same.
 *
 * Between vfork and exec the child may call only async-signal-safe functions. It may write only to its own stack frames
 * and to `failure`, in memory that both share, where it reports the step that failed and its errno.
 * Linux only: there, a session leader that opens a terminal gets it as its controlling terminal. */
#ifndef VIBETUNNEL_SPAWN_H
#define VIBETUNNEL_SPAWN_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { STEP_NONE, STEP_TERMINAL, STEP_PROCESS, STEP_PREPARE, STEP_FOLDER, STEP_EXEC };

typedef struct {
    const char *program;
    char *const *argv;
    char *const *environment;
    const char *folder;
    unsigned short rows, cols;
    struct rlimit files;
    int cgroup;           /* descriptor of the folder of the child's cgroup; -1: that of the parent */
    const char *terminal; /* path of the slave */
} spawn_order;

typedef struct {
    int step;  /* the step that failed; STEP_NONE: the program runs */
    int error; /* its errno */
} spawn_failure;

/* The child: never returns. */
static void spawn_become(const spawn_order *order, volatile spawn_failure *failure)
{
    struct sigaction standard;
    sigset_t none;
    int slave;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigemptyset(&standard.sa_mask);
    sigemptyset(&none);
    failure->step = STEP_TERMINAL;
    if (setsid() < 0 || (slave = open(order->terminal, O_RDWR)) < 0)
        goto failed;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(slave, fd) < 0)
            goto failed;
    failure->step = STEP_PREPARE;
    int closed = 0;
#ifdef SYS_close_range
    closed = syscall(SYS_close_range, 3u, ~0u, 0u) == 0; /* Linux 5.9 */
#endif
    if (!closed) {
        for (int fd = (int)sysconf(_SC_OPEN_MAX); fd > 2; fd--)
            close(fd);
    }
    /* The parent's handlers must not run here, in its memory: all signals stay blocked until every handler is reset. */
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL); /* fails for SIGKILL, SIGSTOP and the C library's own signals */
    if (setrlimit(RLIMIT_NOFILE, &order->files) < 0)
        goto failed;
    failure->step = STEP_FOLDER;
    if (chdir(order->folder) < 0)
        goto failed;
    failure->step = STEP_EXEC;
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(order->program, order->argv, order->environment);
failed:
    failure->error = errno;
    _exit(127);
}

/* Not inlined: the child must not share a stack frame that the parent uses afterwards. */
static pid_t __attribute__((noinline)) spawn_child(const spawn_order *order, volatile spawn_failure *failure)
{
    pid_t pid = vfork();
    if (pid == 0)
        spawn_become(order, failure);
    return pid;
}

/* The same in a cgroup, from its first instruction on. Moving a running child there would take 4 to 12 ms.
 * Returns -1 where the system does not do that. Without CLONE_VM: two returns to one stack need assembler. */
static pid_t spawn_in_cgroup(const spawn_order *order, volatile spawn_failure *failure)
{
#if defined(CLONE_INTO_CGROUP) && defined(SYS_clone3)
    struct clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CLONE_VFORK | CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = (unsigned)order->cgroup;
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0)
        spawn_become(order, failure);
    return pid;
#else
    (void)order, (void)failure;
    return -1;
#endif
}

/* Open a new pty. Returns its master, or -1 with errno. `terminal` gets the slave's path. */
static int spawn_open(const spawn_order *order, char *terminal, size_t size)
{
    struct winsize window = {order->rows, order->cols, 0, 0};
    struct termios modes;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return -1;
    if (grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, terminal, size) != 0
        || ioctl(master, TIOCSWINSZ, &window) < 0 || tcgetattr(master, &modes) < 0)
        goto failed;
    modes.c_iflag |= IUTF8; /* erase removes a whole character */
    if (tcsetattr(master, TCSANOW, &modes) < 0)
        goto failed;
    return master;
failed:;
    int error = errno;
    close(master);
    errno = error;
    return -1;
}

/* Run the program. Returns its pid and sets `master` after exec has succeeded; else returns -1 and sets `failure`.
 * `order->cgroup` is -1 afterwards if the child is not in it. */
static pid_t spawn_start(spawn_order *order, int *master, spawn_failure *failure)
{
    char terminal[64];
    sigset_t all, before;
    *failure = (spawn_failure){STEP_TERMINAL, 0};
    *master = spawn_open(order, terminal, sizeof terminal);
    if (*master < 0) {
        failure->error = errno;
        return -1;
    }
    order->terminal = terminal;
    volatile spawn_failure *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) {
        *failure = (spawn_failure){STEP_PROCESS, errno};
        close(*master);
        *master = -1;
        return -1;
    }
    pid_t pid = -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (order->cgroup >= 0 && (pid = spawn_in_cgroup(order, told)) < 0)
        order->cgroup = -1;
    if (pid < 0)
        pid = spawn_child(order, told);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *failure = pid < 0 ? (spawn_failure){STEP_PROCESS, error} : (spawn_failure){told->step, told->error};
    munmap((void *)told, sizeof *told);
    if (failure->error == 0)
        return pid;
    close(*master);
    *master = -1;
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return -1;
}

#endif
