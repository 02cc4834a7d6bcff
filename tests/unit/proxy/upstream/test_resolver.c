/* Names: look-ups that take long, fail, and change. getaddrinfo is ours here, so that no test needs a name
 * server. */
#include "tests/unit/proxy/upstream/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <time.h>

/* What the name server says. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *addresses[4]; /* none: it fails */
    bool held;                /* it does not answer yet */
    atomic_uint asked;
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void names_set(bool held, const char *first, const char *second, const char *third)
{
    pthread_mutex_lock(&names.lock);
    names.held = held;
    names.addresses[0] = first;
    names.addresses[1] = second;
    names.addresses[2] = third;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.lock);
}

static struct addrinfo *make_address(const char *text, const char *port)
{
    struct addrinfo *made = calloc(1, sizeof(*made) + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(made + 1);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    assert_int_equal(inet_pton(AF_INET, text, &address->sin_addr), 1);
    made->ai_family = AF_INET;
    made->ai_addr = (struct sockaddr *)address;
    made->ai_addrlen = sizeof(*address);
    return made;
}

/* In place of the C library's, for the objects linked into this program. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    *found = NULL;
    if (hints->ai_flags & AI_NUMERICHOST) {
        struct in_addr numeric;
        if (inet_pton(AF_INET, host, &numeric) != 1)
            return EAI_NONAME;
        *found = make_address(host, port);
        return 0;
    }
    names.asked++;
    pthread_mutex_lock(&names.lock);
    while (names.held)
        pthread_cond_wait(&names.changed, &names.lock);
    struct addrinfo **end = found;
    for (size_t i = 0; i < 4 && names.addresses[i] != NULL; i++) {
        *end = make_address(names.addresses[i], port);
        end = &(*end)->ai_next;
    }
    pthread_mutex_unlock(&names.lock);
    return *found ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *found)
{
    while (found != NULL) {
        struct addrinfo *next = found->ai_next;
        free(found);
        found = next;
    }
}

static void serve_hi(struct stream *stream)
{
    while (stream_read_request(stream) &&
           stream_say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
        ;
}

static struct peer *named_client(struct client *client)
{
    struct peer *peer = peer_start(serve_hi, NULL, NULL);
    client_prepare(client, "upstream.test", peer->port, false);
    return peer;
}

static void test_numeric_host_needs_no_thread(void **state)
{
    (void)state;
    char error[128], fault[128];
    unsigned asked = names.asked;
    struct addresses *addresses = NULL;
    struct resolver *resolver = resolver_new("192.0.2.7", 8443, NULL, 30, error, sizeof(error));
    assert_non_null(resolver);
    assert_int_equal(resolver_addresses(resolver, &addresses, fault, sizeof(fault)), RESOLVER_READY);
    const struct sockaddr_in *first = (const struct sockaddr_in *)(const void *)&addresses->list[0]->socket;
    assert_int_equal(addresses->count, 1);
    assert_int_equal(first->sin_addr.s_addr, inet_addr("192.0.2.7"));
    assert_int_equal(ntohs(first->sin_port), 8443);
    resolver_refresh(resolver);
    addresses_release(addresses);
    resolver_free(resolver);
    assert_int_equal(names.asked, asked);
}

static void test_calls_wait_for_the_first_look_up(void **state)
{
    (void)state;
    struct client client;
    struct told told = {0};
    names_set(true, "127.0.0.1", NULL, NULL);
    struct peer *peer = named_client(&client);
    client_begin(&client);
    client_get(&client, &told);
    for (int i = 0; i < 3; i++)
        client_turn(&client);
    assert_int_equal(told.ends + told.fails, 0);
    assert_int_equal(told.call->connection->stage, CONNECTION_RESOLVING);
    names_set(false, "127.0.0.1", NULL, NULL);
    client_finish(&client, &told);
    expect_answer(&told, 200, "hi");
    told_free(&told);
    client_end(&client);
    peer_stop(peer);
}

static void test_waiting_for_a_look_up_is_bounded(void **state)
{
    (void)state;
    struct client client;
    struct told told = {0}, gone = {0};
    names_set(true, "127.0.0.1", NULL, NULL);
    struct peer *peer = named_client(&client);
    client.config.upstream.connect_timeout_ms = 40;
    client_begin(&client);
    client_delete(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_TIMEOUT, false, "not resolved yet");
    client_get(&client, &gone);
    pool_pump(client.upstream);
    upstream_cancel(gone.call);
    int64_t began = clock_monotonic_us();
    client_end(&client); /* the look-up hangs still, and holds nothing up */
    assert_true(clock_monotonic_us() - began < 2000000);
    assert_int_equal(gone.ends + gone.fails, 0);
    names_set(false, "127.0.0.1", NULL, NULL);
    peer_stop(peer);
}

static void test_unknown_name(void **state)
{
    (void)state;
    struct client client;
    struct told first = {0}, second = {0};
    names_set(false, NULL, NULL, NULL);
    struct peer *peer = named_client(&client);
    client_begin(&client);
    unsigned asked = names.asked;
    client_get(&client, &first);
    client_finish(&client, &first);
    expect_failure(&first, UPSTREAM_UNREACHABLE, false,
                   "cannot resolve upstream.test: Name or service not known");
    client_get(&client, &second); /* at once, without another question */
    client_finish(&client, &second);
    expect_failure(&second, UPSTREAM_UNREACHABLE, false, "cannot resolve");
    assert_true(names.asked <= asked + 1);
    client_end(&client);
    peer_stop(peer);
}

/* It is asked again as soon as somebody needs it, but not more often than once a second. */
static void test_name_that_appears_later(void **state)
{
    (void)state;
    struct client client;
    names_set(false, NULL, NULL, NULL);
    struct peer *peer = named_client(&client);
    client_begin(&client);
    bool answered = false;
    int64_t give_up = clock_monotonic_us() + PATIENCE_US;
    while (!answered && clock_monotonic_us() < give_up) {
        struct told told = {0};
        client_get(&client, &told);
        client_finish(&client, &told);
        answered = told.ends == 1;
        if (!answered)
            expect_failure(&told, UPSTREAM_UNREACHABLE, false, "cannot resolve");
        names_set(false, "127.0.0.1", NULL, NULL);
        told_free(&told);
        client_turn(&client);
    }
    assert_true(answered);
    client_end(&client);
    peer_stop(peer);
}

static void test_next_address_when_one_refuses(void **state)
{
    (void)state;
    struct client client;
    names_set(false, "127.0.0.2", "127.0.0.3", "127.0.0.1"); /* only the last has a listener */
    struct peer *peer = named_client(&client);
    client_begin(&client);
    for (int i = 0; i < 2; i++) {
        struct told told = {0};
        client_delete(&client, &told);
        client_finish(&client, &told);
        expect_answer(&told, 200, "hi");
        told_free(&told);
    }
    client_end(&client);
    peer_stop(peer);
}

static void test_no_address_is_good(void **state)
{
    (void)state;
    struct client client;
    struct told told = {0};
    names_set(false, "127.0.0.2", "127.0.0.3", NULL);
    struct peer *peer = named_client(&client);
    client_begin(&client);
    client_get(&client, &told);
    client_finish(&client, &told);
    expect_failure(&told, UPSTREAM_UNREACHABLE, false, "connect to 127.0.0.3:");
    client_end(&client);
    peer_stop(peer);
}

/* An address that swallows packets gets its share of the time only. A listener with a full queue stands for
 * it. */
static void test_next_address_when_one_is_silent(void **state)
{
    (void)state;
    struct client client;
    struct told told = {0};
    names_set(false, "127.0.0.2", "127.0.0.1", NULL);
    struct peer *peer = named_client(&client);
    struct sockaddr_in silent = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[6];
    inet_pton(AF_INET, "127.0.0.2", &silent.sin_addr);
    assert_int_equal(bind(listener, (struct sockaddr *)&silent, sizeof(silent)), 0);
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < 6; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&silent, sizeof(silent));
    }
    client.config.upstream.connect_timeout_ms = 1500;
    client_begin(&client);
    int64_t began = clock_monotonic_us();
    client_delete(&client, &told);
    client_finish(&client, &told);
    expect_answer(&told, 200, "hi");
    assert_in_range(clock_monotonic_us() - began, 750000, 1400000); /* half of it, for two addresses */
    told_free(&told);
    client_end(&client);
    for (size_t i = 0; i < 6; i++)
        close(fillers[i]);
    close(listener);
    peer_stop(peer);
}

/* Looked up again after each interval; a failure keeps the addresses that were good. */
static void test_refresh(void **state)
{
    (void)state;
    char error[128], fault[128];
    struct addresses *before = NULL, *after = NULL;
    uint64_t count;
    names_set(false, "192.0.2.1", NULL, NULL);
    struct resolver_watch watch = {.fd = eventfd(0, 0)}; /* reading waits */
    struct resolver *resolver = resolver_new("upstream.test", 80, NULL, 1, error, sizeof(error));
    assert_non_null(resolver);
    resolver_watch(resolver, &watch);
    while (resolver_addresses(resolver, &before, fault, sizeof(fault)) == RESOLVER_WAIT)
        assert_int_equal(read(watch.fd, &count, sizeof(count)), sizeof(count));
    names_set(false, NULL, NULL, NULL);
    unsigned asked = names.asked;
    while (names.asked < asked + 2) /* one may have been under way; none by request */
        assert_int_equal(read(watch.fd, &count, sizeof(count)), sizeof(count));
    assert_int_equal(resolver_addresses(resolver, &after, fault, sizeof(fault)), RESOLVER_READY);
    assert_ptr_equal(before, after);
    resolver_unwatch(resolver, &watch);
    resolver_free(resolver);
    assert_int_equal(after->count, 1); /* outlives its resolver */
    addresses_release(before);
    addresses_release(after);
    close(watch.fd);
}

/* When the name leads elsewhere, a kept connection to where it led before serves nobody any more. */
static void test_kept_connections_follow_the_name(void **state)
{
    (void)state;
    struct client client;
    struct told first = {0}, second = {0}, third = {0};
    names_set(false, "127.0.0.1", NULL, NULL);
    struct peer *peer = named_client(&client);
    client.config.upstream.resolve_interval_s = 1;
    client_begin(&client);
    client_get(&client, &first);
    client_finish(&client, &first);
    client_get(&client, &second);
    client_finish(&client, &second);
    expect_answer(&second, 200, "hi");
    assert_int_equal(peer->connections, 1);
    struct address *address = address_hold(client.upstream->addresses->list[0]);
    names_set(false, "127.0.0.2", NULL, NULL); /* nobody listens there */
    CLIENT_UNTIL(&client, !address->listed && client.upstream->addresses->list[0] != address);
    client_get(&client, &third);
    client_finish(&client, &third);
    expect_failure(&third, UPSTREAM_UNREACHABLE, false, "connect to 127.0.0.2:");
    assert_int_equal(peer->requests, 2);
    told_free(&first);
    told_free(&second);
    address_release(address);
    client_end(&client);
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric_host_needs_no_thread),
        cmocka_unit_test(test_calls_wait_for_the_first_look_up),
        cmocka_unit_test(test_waiting_for_a_look_up_is_bounded),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_name_that_appears_later),
        cmocka_unit_test(test_next_address_when_one_refuses),
        cmocka_unit_test(test_no_address_is_good),
        cmocka_unit_test(test_next_address_when_one_is_silent),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_kept_connections_follow_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
