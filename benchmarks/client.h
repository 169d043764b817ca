/* Shared by the clients in C: a clock, and the text of an error. */
#ifndef BENCHMARKS_CLIENT_H
#define BENCHMARKS_CLIENT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static char problem[1024];

/* Why the last call has returned -1. */
const char *client_problem(void)
{
    return problem;
}

static int wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return -1;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

#endif
