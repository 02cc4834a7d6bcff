/* What the upstream side says of itself, by what requests have met. */
#include "proxy/upstream/status.h"
#include "tests/unit/proxy/upstream/client.h"

static void serve_hi(struct stream *stream)
{
    while (stream_read_request(stream) && stream->peer->signal == 0 &&
           stream_say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
        ;
}

static void test_alive(void **state)
{
    char why[UPSTREAM_WHY] = "";
    struct client client;
    (void)state;
    struct peer *peer = peer_start(serve_hi, NULL, NULL);
    client_prepare(&client, "127.0.0.1", peer->port, false);
    client.config.upstream.eject_failures = 1;
    client_begin(&client);
    assert_true(upstream_alive(client.shared, why)); /* nothing is known against it */

    peer->signal = 1;
    struct told told = {0};
    client_get(&client, &told);
    client_finish(&client, &told);
    assert_false(upstream_alive(client.shared, why));
    assert_string_equal(why, "no address of the upstream has answered of late (1 tried)");

    struct address *address = client.upstream->addresses->list[0];
    address->ejected_until = 1; /* its time is over: worth a try */
    assert_true(upstream_alive(client.shared, why));
    client_end(&client);
    peer_stop(peer);
}

static void test_name_that_does_not_resolve(void **state)
{
    char why[UPSTREAM_WHY] = "";
    struct client client;
    (void)state;
    client_prepare(&client, "no-such-host.invalid", 80, false);
    client_begin(&client);
    CLIENT_UNTIL(&client, !upstream_alive(client.shared, why) && strstr(why, "cannot resolve") != NULL);
    client_end(&client);
}

static void test_page(void **state)
{
    static char first[] = "127.0.0.1", second[] = "::1";
    char *both[] = {first, second, NULL};
    struct text page = {0};
    struct client client;
    (void)state;
    client_prepare(&client, "localhost", 8443, false);
    client.config.upstream.addresses = both;
    client_begin(&client);
    struct address *address = client.upstream->addresses->list[1];
    address->outstanding = 7;
    address->ejected_until = 1;
    address->failures_total = 8;
    address->ejections_total = 9;
    client.shared->surplus = 10;
    upstream_write(client.shared, &page);
    static const char *const lines[] = {
        "\nportcullis_upstream_address_up{address=\"127.0.0.1:8443\"} 1\n",
        "\nportcullis_upstream_address_up{address=\"[::1]:8443\"} 0\n",
        "\nportcullis_upstream_address_outstanding{address=\"[::1]:8443\"} 7\n",
        "\nportcullis_upstream_address_failures_total{address=\"[::1]:8443\"} 8\n",
        "\nportcullis_upstream_address_ejections_total{address=\"[::1]:8443\"} 9\n",
        "\n# TYPE portcullis_upstream_address_up gauge\n",
        "\nportcullis_upstream_surplus_total 10\n",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_non_null(strstr(page.data, lines[i]));
    text_free(&page);
    client_end(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alive),
        cmocka_unit_test(test_name_that_does_not_resolve),
        cmocka_unit_test(test_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
