/* What the threads of one running gate share. Made by serve before the first worker starts, taken down after
 * the last one ended; read-only in between but for what says otherwise. */
#ifndef PROXY_SERVICE_SERVICE_H
#define PROXY_SERVICE_SERVICE_H

#include "proxy/base/log.h"
#include "proxy/config/config.h"
#include "proxy/limits/room.h"
#include "proxy/observe/counters.h"

struct access_log;
struct address_count;
struct audit_key;
struct journal;
struct reconcile_queue;
struct shield;
struct ship;
struct tls_server;
struct underway;
struct upstream_shared;
struct version_watch;

struct service {
    const struct config *config;
    struct journal *journal;           /* has its own thread */
    struct ship *ship;                 /* has its own threads */
    struct reconcile_queue *reconcile; /* has its own lock */
    struct audit_key *key;
    struct access_log *access_log;    /* has its own thread */
    struct tls_server *tls;           /* has its own lock; NULL: no listener has TLS */
    struct upstream_shared *upstream; /* has its own thread */
    struct shield *shield;            /* has its own lock */
    struct version_watch *versions;   /* has its own lock */
    struct address_count *addresses;  /* has its own lock */
    struct underway *underway;    /* has its own lock; changes that are being looked into, by their digest */
    struct room room;             /* atomic */
    struct counters counters;     /* atomic */
    struct log_limit shadow_told; /* atomic; of lines on what a candidate for the policy says */
};

#endif
