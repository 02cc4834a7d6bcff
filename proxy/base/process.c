#include "proxy/base/process.h"

#include "proxy/base/log.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static void on_fatal(int code)
{
    log_event(
        LOG_ERROR, "libevent",
        "libevent gave up with code %d: the gate ends at once; what the journal has acknowledged is on disk",
        code);
    abort();
}

static void on_message(int severity, const char *message)
{
    if (severity >= EVENT_LOG_WARN)
        log_event(severity >= EVENT_LOG_ERR ? LOG_ERROR : LOG_WARNING, "libevent", "%s", message);
}

/* For jansson: a parsed body may hold credentials, and its pieces are freed one by one. */
static void free_wiped(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void process_hide(void)
{
    const struct rlimit none = {0, 0};

#ifndef SANITIZED /* the leak checker must trace its own process */
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
    (void)setrlimit(RLIMIT_CORE, &none);
}

void process_prepare(void)
{
    struct rlimit limit;
    sigset_t signals;

    process_hide();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a write beyond the allowed file size fails with EFBIG instead */
    json_set_alloc_funcs(malloc, free_wiped);
    event_set_fatal_callback(on_fatal);
    event_set_log_callback(on_message);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Lets go of the pages of one program or library that nobody has written to, and nobody can. */
static int drop_pages(struct dl_phdr_info *object, size_t size, void *arg)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)arg;

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t from = (object->dlpi_addr + header->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + header->p_vaddr + header->p_memsz;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) == 0)
            (void)madvise((void *)from, end - from, MADV_DONTNEED);
    }
    return 0;
}

void process_settle(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(drop_pages, NULL);
}

size_t process_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return SIZE_MAX;
    return limit.rlim_cur;
}

bool process_libevent_is_fixed(void)
{
    struct evkeyvalq headers = TAILQ_HEAD_INITIALIZER(headers);
    bool fixed = evhttp_add_header(&headers, "A", "b\r\n c") != 0;

    evhttp_clear_headers(&headers);
    return fixed;
}
