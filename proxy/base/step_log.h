/* The steps of state machines, for tests: in a build with -DFAULT_POINTS (`make FAULTS=1`) each is appended
 * to the file that the environment variable PORTCULLIS_STEPS names, a line "id kind from to". The file is
 * opened when the program starts, before it confines itself. In every other build this is nothing. */
#ifndef PROXY_BASE_STEP_LOG_H
#define PROXY_BASE_STEP_LOG_H

#ifdef FAULT_POINTS

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int step_file = -1;

__attribute__((constructor)) static void step_log_open(void)
{
    const char *path = getenv("PORTCULLIS_STEPS");

    if (path != NULL && (step_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        abort();
}

/* A step that is not written would be one that the test does not see. */
static inline void step_log(const char *id, const char *kind, const char *from, const char *to)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s %s %s %s\n", id, kind, from, to);

    if (step_file >= 0 && (length >= (int)sizeof line || write(step_file, line, (size_t)length) != length))
        abort();
}

#else

#define step_log(id, kind, from, to) ((void)0)

#endif

#endif
