/* Ten thousand clients that watch one session: reads each, until all have got one line.
 *
 * Takes the server's WebSocket frames apart, looks for the line in data frames, and answers pings. Linux (epoll).
 * Called by audience.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#define AT_ONCE 512
#define FRAME 1024 /* bytes of an incomplete frame; the server sends none that is longer */
#define TEXT 512   /* bytes of an incomplete line */

struct client {
    int fd;
    int held; /* bytes in `frame` */
    int size; /* bytes in `text` */
    int seen; /* the line has arrived */
    unsigned char frame[FRAME];
    char text[TEXT];
};

static struct client *clients;
static int count, poller = -1;
void audience_close(void)
{
    free(clients);
    if (poller >= 0)
        close(poller);
    clients = NULL;
    poller = -1;
}

/* Take WebSocket connections whose upgrade is over. The descriptors are borrowed. */
int audience_open(const int *fds, int many)
{
    audience_close();
    count = many;
    clients = calloc((size_t)many, sizeof *clients);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || poller < 0)
        return wrong("%d clients: %s", many, strerror(errno));
    for (int each = 0; each < many; each++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[each]};
        clients[each].fd = fds[each];
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fds[each], &event) < 0)
            return wrong("client %d: %s", each, strerror(errno));
    }
    return 0;
}

/* Send the same bytes back, masked with zeros, which changes nothing. */
static int pong(struct client *client, const unsigned char *payload, int size)
{
    unsigned char frame[6 + 125] = {0x8a, (unsigned char)(0x80 | size)};
    memcpy(frame + 6, payload, (size_t)size);
    if (send(client->fd, frame, (size_t)(6 + size), MSG_NOSIGNAL | MSG_DONTWAIT) != 6 + size)
        return wrong("pong: %s", strerror(errno));
    return 0;
}

/* Take the output of one client; 1: the line is complete. */
static int output(struct client *client, const unsigned char *payload, int size, const char *line, int length)
{
    if (client->size + size > TEXT)
        return wrong("client %d: expected %.*s, got %d bytes of something else", client->fd, length, line, client->size);
    memcpy(client->text + client->size, payload, (size_t)size);
    client->size += size;
    if (!size)
        return 0;
    int known = client->size < length ? client->size : length;
    if (client->seen || client->size > length || memcmp(client->text, line, (size_t)known))
        return wrong("client %d: expected %.*s once, got %.*s", client->fd, length, line, client->size, client->text);
    if (client->size < length)
        return 0;
    return client->seen = 1;
}

/* Read one client; 1: the line is complete. */
static int take(struct client *client, const char *line, int length)
{
    int done = 0;
    ssize_t got = recv(client->fd, client->frame + client->held, FRAME - (size_t)client->held, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        return wrong("client %d: expected output, got %s", client->fd, got ? strerror(errno) : "its end");
    client->held += (int)got;
    unsigned char *at = client->frame, *end = at + client->held;
    while (end - at >= 2) {
        int opcode = at[0] & 0x0f, size = at[1], head = 2;
        if (size > 126)
            return wrong("client %d: expected small frames without a mask, got %02x %02x", client->fd, at[0], at[1]);
        if (size == 126) {
            if (end - at < 4)
                break;
            size = at[2] << 8 | at[3], head = 4;
        }
        if (head + size > FRAME)
            return wrong("client %d: expected small frames, got one of %d bytes", client->fd, size);
        if (end - at < head + size)
            break;
        int said = 0;
        if (opcode < 8)
            said = output(client, at + head, size, line, length);
        else if (opcode == 9)
            said = pong(client, at + head, size);
        else if (opcode == 8)
            said = wrong("client %d: expected output, got a close frame", client->fd);
        if (said < 0)
            return -1;
        done |= said;
        at += head + size;
    }
    client->held = (int)(end - at);
    memmove(client->frame, at, (size_t)client->held);
    return done;
}

/* Type `frame` as client 0, wait, and read until every client has got `line` once. Returns the number of clients that
 * have got it within `within_ms`.
 *
 * wait_ms   pause before the clock starts and anything is read; 0: the clock starts before the frame is sent
 * took_ns   time until the read that completes the last line
 * -1: client_problem() says why
 */
int audience_line(
    const char *frame, int frame_size, const char *line, int length, int wait_ms, int within_ms, int64_t *took_ns)
{
    struct epoll_event events[AT_ONCE];
    int left = count;
    for (int each = 0; each < count; each++)
        clients[each].seen = clients[each].size = 0;
    int64_t began = now_ns(), now;
    if (send(clients[0].fd, frame, (size_t)frame_size, MSG_NOSIGNAL) != frame_size)
        return wrong("key: %s", strerror(errno));
    if (wait_ms) {
        struct timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1000000L};
        nanosleep(&wait, NULL);
        began = now_ns();
    }
    *took_ns = 0;
    while (left && (now = now_ns()) < began + within_ms * 1000000LL) {
        int ready = epoll_wait(poller, events, AT_ONCE, 100);
        for (int each = 0; each < ready; each++) {
            int done = take(events[each].data.ptr, line, length);
            if (done < 0)
                return -1;
            left -= done;
        }
        if (ready > 0)
            *took_ns = now_ns() - began;
    }
    return count - left;
}
