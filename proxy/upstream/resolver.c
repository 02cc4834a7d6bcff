#include "proxy/upstream/resolver.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US    INT64_C(1000000) /* between look-ups that are asked for */
#define LOG_EVERY_S 60

struct resolver {
    char *host;
    char port[6];
    unsigned interval_s;
    bool threaded;
    pthread_t thread;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    unsigned references; /* the owner's and the thread's */
    bool busy;           /* in getaddrinfo, */
    bool wanted;         /* asked for another look-up, */
    bool stopping;       /* or for the end */
    int64_t tried;       /* when the last look-up ended; 0: never */
    struct addresses *addresses;
    char fault[160]; /* of the last look-up; empty when it went well */
    LIST_HEAD(, resolver_watch) watches;
};

/* Looks the name up and appends what is found to `addresses`; addresses that are in `known` stay the same.
 * False with the reason in `fault`. Blocks, unless `flags` hold AI_NUMERICHOST. */
static bool add_found(struct addresses *addresses, const char *host, const char *port, int flags,
                      const struct addresses *known, char *fault, size_t fault_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem != 0) {
        snprintf(fault, fault_size, "cannot resolve %.80s: %s", host, gai_strerror(problem));
        return false;
    }
    bool added = true;
    for (struct addrinfo *one = found; one != NULL && added; one = one->ai_next)
        added = addresses_add(addresses, one->ai_addr, one->ai_addrlen, known);
    freeaddrinfo(found);
    if (!added || addresses->count == 0)
        snprintf(fault, fault_size, "cannot resolve %.80s: %s", host, added ? "no address" : "out of memory");
    return added && addresses->count > 0;
}

/* The addresses of a name, as above; NULL with the reason in `fault`, which is empty otherwise. */
static struct addresses *look_up(const char *host, const char *port, int flags, const struct addresses *known,
                                 char *fault, size_t fault_size)
{
    struct addresses *addresses = addresses_new();
    snprintf(fault, fault_size, "out of memory");
    if (addresses == NULL || !add_found(addresses, host, port, flags, known, fault, fault_size)) {
        addresses_release(addresses);
        return NULL;
    }
    fault[0] = '\0';
    return addresses;
}

static struct addresses *take_literals(char *const *literals, const char *port, char *fault,
                                       size_t fault_size)
{
    struct addresses *addresses = addresses_new();
    bool added = addresses != NULL;
    snprintf(fault, fault_size, "out of memory");
    for (; added && *literals != NULL; literals++)
        added = add_found(addresses, *literals, port, AI_NUMERICHOST, NULL, fault, fault_size);
    if (added)
        return addresses;
    addresses_release(addresses);
    return NULL;
}

/* Gives back one of the two references; the lock is held, and let go. */
static void release(struct resolver *resolver)
{
    bool last = --resolver->references == 0;
    pthread_mutex_unlock(&resolver->lock);
    if (!last)
        return;
    addresses_release(resolver->addresses);
    pthread_cond_destroy(&resolver->changed);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver->host);
    free(resolver);
}

/* Takes a look-up's result over and tells everyone. */
static void settle(struct resolver *resolver, struct addresses *addresses, const char *fault)
{
    resolver->tried = clock_monotonic_us();
    snprintf(resolver->fault, sizeof(resolver->fault), "%s", fault);
    if (addresses != NULL) { /* else the old ones are better than none */
        addresses_replace(resolver->addresses, addresses);
        addresses_release(resolver->addresses);
        resolver->addresses = addresses;
    }
    struct resolver_watch *watch;
    LIST_FOREACH (watch, &resolver->watches, entry) {
        const uint64_t one = 1;
        if (write(watch->fd, &one, sizeof(one)) < 0)
            continue; /* its counter is full: it is awake already */
    }
}

static void await(struct resolver *resolver)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)resolver->interval_s;
    int result = 0;
    while (!resolver->stopping && !resolver->wanted && result == 0)
        result = pthread_cond_timedwait(&resolver->changed, &resolver->lock, &until);
}

static void *run(void *arg)
{
    struct resolver *resolver = arg;
    struct log_limit limit = {0};
    char fault[sizeof(resolver->fault)];

    pthread_mutex_lock(&resolver->lock);
    while (!resolver->stopping) {
        resolver->busy = true;
        resolver->wanted = false;
        pthread_mutex_unlock(&resolver->lock);

        /* Only this thread puts others in its place. */
        struct addresses *addresses =
            look_up(resolver->host, resolver->port, 0, resolver->addresses, fault, sizeof(fault));
        unsigned long held;
        if (addresses == NULL && log_allow(&limit, LOG_EVERY_S, &held))
            log_event(LOG_WARNING, "upstream-resolve", "%s", fault);

        pthread_mutex_lock(&resolver->lock);
        resolver->busy = false;
        settle(resolver, addresses, fault);
        await(resolver);
    }
    release(resolver);
    return NULL;
}

/* Starts the thread; signals are for others. */
static bool start_thread(struct resolver *resolver)
{
    sigset_t all, before;
    sigfillset(&all);
    resolver->threaded = true;
    resolver->busy = true; /* until the first look-up has ended */
    resolver->references++;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&resolver->thread, NULL, run, resolver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (problem != 0) {
        resolver->threaded = false;
        resolver->references--;
    }
    return problem == 0;
}

static bool init_locks(struct resolver *resolver)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool done = pthread_cond_init(&resolver->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (done && pthread_mutex_init(&resolver->lock, NULL) != 0) {
        pthread_cond_destroy(&resolver->changed);
        done = false;
    }
    return done;
}

struct resolver *resolver_new(const char *host, uint16_t port, char *const *literals, unsigned interval_s,
                              char *error, size_t error_size)
{
    snprintf(error, error_size, "out of memory");
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (resolver == NULL)
        return NULL;
    resolver->host = strdup(host);
    if (resolver->host == NULL || !init_locks(resolver)) {
        free(resolver->host);
        free(resolver);
        return NULL;
    }
    snprintf(resolver->port, sizeof(resolver->port), "%u", (unsigned)port);
    resolver->interval_s = interval_s > 0 ? interval_s : 1;
    resolver->references = 1;
    resolver->addresses = literals != NULL ? take_literals(literals, resolver->port, error, error_size)
                                           : look_up(host, resolver->port, AI_NUMERICHOST, NULL,
                                                     resolver->fault, sizeof(resolver->fault));
    if (resolver->addresses == NULL && literals != NULL) {
        resolver_free(resolver);
        return NULL;
    }
    if (resolver->addresses == NULL && !start_thread(resolver)) {
        snprintf(error, error_size, "cannot start a thread for the upstream's name");
        resolver_free(resolver);
        return NULL;
    }
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->stopping = true;
    bool threaded = resolver->threaded, busy = resolver->busy;
    pthread_t thread = resolver->thread;
    pthread_cond_signal(&resolver->changed);
    release(resolver);
    if (threaded && busy)
        pthread_detach(thread);
    else if (threaded)
        pthread_join(thread, NULL);
}

enum resolver_result resolver_addresses(struct resolver *resolver, struct addresses **addresses, char *fault,
                                        size_t fault_size)
{
    enum resolver_result result = RESOLVER_WAIT;
    pthread_mutex_lock(&resolver->lock);
    if (resolver->addresses != NULL) {
        *addresses = addresses_hold(resolver->addresses);
        result = RESOLVER_READY;
    } else if (!resolver->busy && !resolver->wanted) {
        if (clock_monotonic_us() - resolver->tried < PAUSE_US) {
            snprintf(fault, fault_size, "%s", resolver->fault);
            result = RESOLVER_FAILED;
        } else {
            resolver->wanted = true;
            pthread_cond_signal(&resolver->changed);
        }
    }
    pthread_mutex_unlock(&resolver->lock);
    return result;
}

void resolver_refresh(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    if (resolver->threaded && !resolver->busy && clock_monotonic_us() - resolver->tried >= PAUSE_US) {
        resolver->wanted = true;
        pthread_cond_signal(&resolver->changed);
    }
    pthread_mutex_unlock(&resolver->lock);
}

void resolver_watch(struct resolver *resolver, struct resolver_watch *watch)
{
    pthread_mutex_lock(&resolver->lock);
    LIST_INSERT_HEAD(&resolver->watches, watch, entry);
    pthread_mutex_unlock(&resolver->lock);
}

void resolver_unwatch(struct resolver *resolver, struct resolver_watch *watch)
{
    pthread_mutex_lock(&resolver->lock);
    LIST_REMOVE(watch, entry);
    pthread_mutex_unlock(&resolver->lock);
}
