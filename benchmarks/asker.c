/* A client that asks one question over and over, on many connections at once, and checks every answer.
 *
 * No pipelining: a connection asks again when its answer is complete. Linux (epoll). Called by asker.py.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#define MOST 1024    /* connections */
#define ANSWER 16384 /* bytes, head and body */
#define SILENCE_MS 20000

static const char last[] = "0\r\n\r\n"; /* chunk of a chunked body (RFC 9112 §7.1) */

struct connection {
    int fd;
    int size; /* bytes of the answer so far */
    int chunked;
    char answer[ANSWER];
};

/* A request, and its expected answer: the head begins with `head`, the body with `before`, and it ends with `after`. */
struct question {
    const char *request, *head, *before, *after;
    int request_size, head_size, before_size, after_size;
};

static int open_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int ask(const struct connection *connection, const struct question *question)
{
    /* A request is small, and no other is under way: it fits into the socket's buffer. */
    if (send(connection->fd, question->request, (size_t)question->request_size, MSG_NOSIGNAL) != question->request_size)
        return wrong("request: %s", strerror(errno));
    return 0;
}

/* Size of the whole answer; 0: not known yet; -1: the answer does not say. */
static int whole(struct connection *connection)
{
    const char *end = memmem(connection->answer, (size_t)connection->size, "\r\n\r\n", 4);
    int head, final = (int)sizeof last - 1;
    if (!end)
        return 0;
    head = (int)(end + 4 - connection->answer);
    for (const char *line = connection->answer; line < end;) {
        const char *next = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1;
        connection->chunked = !strncasecmp(line, "Transfer-Encoding: chunked", 26);
        if (connection->chunked) /* JSON contains no CR, so the last chunk is found by its bytes */
            return connection->size - final >= head &&
                           !memcmp(connection->answer + connection->size - final, last, (size_t)final)
                       ? connection->size
                       : 0;
        if (!strncasecmp(line, "Content-Length:", 15))
            return head + atoi(line + 15);
        line = next;
    }
    return wrong("expected a Content-Length, got %.*s", (int)(end - connection->answer), connection->answer);
}

static int check(const struct connection *connection, const struct question *question)
{
    const char *end = connection->answer + connection->size;
    const char *body = (const char *)memmem(connection->answer, (size_t)connection->size, "\r\n\r\n", 4) + 4;
    if (memcmp(connection->answer, question->head, (size_t)question->head_size))
        return wrong("expected %s, got %.*s", question->head, connection->size, connection->answer);
    if (connection->chunked && end - body > (int)sizeof last - 1) { /* a short body is one chunk: a line with its size, then the body */
        body = (const char *)memchr(body, '\n', (size_t)(end - body)) + 1;
        end -= sizeof last - 1 + 2;
    }
    long size = end - body, least = question->before_size + question->after_size;
    if (size < least || (!question->after_size && size > least) || /* without `after`, `before` is the whole body */
        memcmp(body, question->before, (size_t)question->before_size) ||
        memcmp(end - question->after_size, question->after, (size_t)question->after_size))
        return wrong("expected %s...%s, got %.*s", question->before, question->after, (int)(end - body), body);
    return 0;
}

/* Read one connection; 1: its answer was complete and right, and the next request is sent. */
static int take(struct connection *connection, const struct question *question)
{
    int size, expected;
    ssize_t got = recv(connection->fd, connection->answer + connection->size, ANSWER - (size_t)connection->size, 0);
    if (got <= 0)
        return wrong("expected an answer, got %s", got ? strerror(errno) : "the end of the connection");
    size = connection->size += (int)got;
    expected = whole(connection);
    if (expected < 0)
        return -1;
    if (!expected || size < expected)
        return size < ANSWER ? 0 : wrong("expected an answer of less than %d bytes", ANSWER);
    if (size > expected)
        return wrong("expected an answer of %d bytes, got %d", expected, size);
    if (check(connection, question) < 0)
        return -1;
    connection->size = 0;
    return ask(connection, question) < 0 ? -1 : 1;
}

/* Ask `port` of 127.0.0.1 on all connections. Returns the number of answers within run_ms, which begins after warm_ms.
 *
 * took_ns   duration of the counted part
 * -1: client_problem() says why
 */
long asker_ask(int port, int connections, int warm_ms, int run_ms, const struct question *question, int64_t *took_ns)
{
    struct connection *all = calloc((size_t)connections, sizeof *all);
    struct epoll_event events[MOST];
    int poller = epoll_create1(EPOLL_CLOEXEC), opened = 0;
    long count = -1;
    int64_t began, from = 0, now;
    if (!all || poller < 0 || connections > MOST) {
        wrong("%d connections: %s", connections, strerror(errno));
        goto out;
    }
    for (; opened < connections; opened++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[opened]};
        if ((all[opened].fd = open_to(port)) < 0) {
            wrong("connection %d: %s", opened, strerror(errno));
            goto out;
        }
        epoll_ctl(poller, EPOLL_CTL_ADD, all[opened].fd, &event);
    }
    for (int each = 0; each < connections; each++)
        if (ask(&all[each], question) < 0)
            goto out;
    count = 0;
    for (began = now = now_ns(); now < began + (warm_ms + run_ms) * 1000000LL;) {
        int ready = epoll_wait(poller, events, MOST, SILENCE_MS);
        if (!ready)
            wrong("expected an answer within %d ms, got none", SILENCE_MS);
        if (ready <= 0) {
            if (ready < 0 && errno == EINTR)
                continue;
            count = -1;
            goto out;
        }
        for (int each = 0; each < ready; each++) {
            int done = take(events[each].data.ptr, question);
            if (done < 0) {
                count = -1;
                goto out;
            }
            count += done;
        }
        now = now_ns();
        if (!from && now >= began + warm_ms * 1000000LL) {
            from = now;
            count = 0;
        }
    }
    *took_ns = now - from;
out:
    while (opened)
        close(all[--opened].fd);
    if (poller >= 0)
        close(poller);
    free(all);
    return count;
}
