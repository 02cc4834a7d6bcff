#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/observe/tally.h"

static const struct tally_request good = {
    .operation = "listIntegrations",
    .gate = "body",
    .passed = true,
    .status = 200,
    .total_us = 300,
    .upstream_us = 200,
};

static bool shows(const struct tally *tally, const char *line)
{
    struct text page = {0};

    tally_write(tally, &page);
    assert_false(page.failed);
    bool found = strstr(page.data, line) != NULL;
    if (!found)
        print_message("not shown: %s\n", line);
    text_free(&page);
    return found;
}

static void counts_by_all_four(void **state)
{
    static struct tally tally;
    struct tally_request refused = {.gate = "wire",
                                    .code = "portcullis-malformed-request",
                                    .status = 400,
                                    .total_us = 10,
                                    .upstream_us = -1};
    struct tally_request change = good;
    (void)state;

    tally_request(&tally, &good);
    tally_request(&tally, &good);
    tally_request(&tally, &refused);
    change.operation = "deleteIntegration";
    change.mutation = true;
    change.status = 0;
    tally_request(&tally, &change);
    assert_true(shows(&tally, "requests_total{operation=\"listIntegrations\",verdict=\"pass\",gate=\"body\","
                              "status=\"2xx\"} 2\n"));
    assert_true(shows(&tally, "requests_total{operation=\"none\",verdict=\"refuse\",gate=\"wire\","
                              "status=\"4xx\"} 1\n"));
    assert_true(shows(&tally, "requests_total{operation=\"deleteIntegration\",verdict=\"pass\",gate=\"body\","
                              "status=\"none\"} 1\n"));
    assert_true(shows(&tally, "refusals_total{code=\"portcullis-malformed-request\"} 1\n"));
    assert_true(shows(&tally, "request_duration_seconds_count{kind=\"read\"} 2\n"));
    assert_true(shows(&tally, "request_duration_seconds_sum{kind=\"read\"} 0.0006\n"));
    assert_true(shows(&tally, "request_duration_seconds_count{kind=\"change\"} 1\n"));
    assert_true(shows(&tally, "request_duration_seconds_count{kind=\"refused\"} 1\n"));
    assert_true(shows(&tally, "upstream_duration_seconds_count 3\n")); /* the refused one was not forwarded */
}

/* A status that is none is not counted as another one's. */
static void knows_every_status(void **state)
{
    static const struct {
        int status;
        const char *class;
    } rows[] = {{0, "none"},  {100, "1xx"}, {204, "2xx"},  {304, "3xx"},
                {499, "4xx"}, {599, "5xx"}, {600, "none"}, {-1, "none"}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tally *tally = calloc(1, sizeof *tally);
        struct tally_request request = good;
        char line[32];
        assert_non_null(tally);
        request.status = rows[i].status;
        tally_request(tally, &request);
        (void)snprintf(line, sizeof line, "status=\"%s\"} 1\n", rows[i].class);
        assert_true(shows(tally, line));
        free(tally);
    }
}

/* However many operations a contract has, and however many gates there will be. */
static void is_bounded(void **state)
{
    static struct tally tally;
    struct tally_request request = good;
    char operation[16], gate[16];
    (void)state;

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(operation, sizeof operation, "op%u", i);
        (void)snprintf(gate, sizeof gate, "gate%u", i);
        request.operation = operation;
        request.gate = gate;
        request.code = gate;
        tally_request(&tally, &request);
    }
    assert_true(shows(&tally, "requests_total{operation=\"op63\",verdict=\"pass\",gate=\"other\","
                              "status=\"2xx\"} 1\n"));
    assert_true(shows(&tally, "requests_total{operation=\"other\",verdict=\"pass\",gate=\"other\","
                              "status=\"2xx\"} 136\n"));
    assert_true(shows(&tally, "refusals_total{code=\"other\"} 136\n"));
}

/* Workers meet operations in orders of their own. */
static void adds_up_by_name(void **state)
{
    static struct tally one, two, all;
    struct tally_request other = good;
    (void)state;

    other.operation = "getIntegration";
    other.gate = "permission";
    other.code = "portcullis-forbidden";
    other.passed = false;
    other.status = 403;
    tally_request(&one, &good);
    tally_request(&one, &other);
    tally_request(&two, &other);
    tally_request(&two, &good);
    tally_request(&two, &good);
    figure_add(&one.wire[WIRE_FAULT_NO_HOST], 2);
    figure_add(&two.wire[WIRE_FAULT_NO_HOST], 3);
    figure_add(&one.open[TALLY_TLS], 4);
    figure_add(&one.open[TALLY_TLS], UINT64_MAX);
    figure_set(&two.exchanges, 5);
    figure_set(&one.pool_idle, 6);
    histogram_add(&two.journal, &histogram_durations, 1000);
    tally_gather(&one, &all);
    tally_gather(&two, &all);
    assert_true(shows(&all, "requests_total{operation=\"listIntegrations\",verdict=\"pass\",gate=\"body\","
                            "status=\"2xx\"} 3\n"));
    assert_true(shows(&all,
                      "requests_total{operation=\"getIntegration\",verdict=\"refuse\",gate=\"permission\","
                      "status=\"4xx\"} 2\n"));
    assert_true(shows(&all, "refusals_total{code=\"portcullis-forbidden\"} 2\n"));
    assert_true(shows(&all, "wire_refusals_total{reason=\"missing-host\"} 5\n"));
    assert_true(shows(&all, "connections{listener=\"tls\"} 3\n"));
    assert_true(shows(&all, "portcullis_exchanges 5\n"));
    assert_true(shows(&all, "upstream_connections{state=\"idle\"} 6\n"));
    assert_true(shows(&all, "journal_wait_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_true(shows(&all, "journal_wait_seconds_bucket{le=\"0.001\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_all_four),
        cmocka_unit_test(knows_every_status),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(adds_up_by_name),
    };

    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
