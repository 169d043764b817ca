/* The floor: the cost of a key if nothing stands between a TCP socket and a PTY.
 *
 * floor PROGRAM...   each PROGRAM is a text for /bin/sh. Listens on a free port of 127.0.0.1 and prints {"port": N}.
 * The first byte of a connection says which program to run; from then on bytes pass both ways unchanged. Each
 * connection has a process with one poll() loop and blocking writes. Ends when its stdin closes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static char buffer[65536];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Write all of `data`; -1 on an error. */
static int write_all(int fd, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, (size_t)size);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        data += written;
        size -= written;
    }
    return 0;
}

/* Read once and write that; -1 at the end of either side. */
static int pass(int from, int to)
{
    ssize_t size = read(from, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR)
        return 0;
    return size <= 0 ? -1 : write_all(to, buffer, size);
}

/* Start `program` on a new PTY. Returns the master. */
static int start(const char *program)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        die("openpt");
    if (ioctl(master, TIOCSWINSZ, &size) < 0 && errno != ENOTTY)
        die("TIOCSWINSZ");
    const char *name = ptsname(master);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        setsid();
        int slave = open(name, O_RDWR);
        if (slave < 0)
            die("open pty");
        ioctl(slave, TIOCSCTTY, 0);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        setenv("TERM", "xterm-256color", 1);
        execl("/bin/sh", "sh", "-c", program, (char *)NULL);
        _exit(127);
    }
    return master;
}

static void serve(int connection, int programs, char **program)
{
    unsigned char number;
    int one = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (read(connection, &number, 1) != 1 || number >= programs)
        return;
    int master = start(program[number]);
    struct pollfd waited[2] = {{.fd = connection, .events = POLLIN}, {.fd = master, .events = POLLIN}};
    for (;;) {
        if (poll(waited, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (waited[0].revents && pass(connection, master) < 0)
            return;
        if (waited[1].revents && pass(master, connection) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1024) < 0)
        die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        die("getsockname");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* children need no wait(2) */
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd waited[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    while (poll(waited, 2, -1) > 0 && !waited[1].revents) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            continue;
        switch (fork()) {
        case -1:
            die("fork");
        case 0:
            close(listener);
            close(0); /* only the first process watches the pipe from the harness */
            serve(connection, argc - 1, argv + 1);
            _exit(0); /* closes the master, so that the kernel hangs up the program */
        default:
            close(connection);
        }
    }
    return 0;
}
