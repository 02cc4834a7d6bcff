#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/observe/version_watch.h"

static void answer(struct version_seen *seen, const char *operation, const char *served, const char *stage,
                   const char *sunset)
{
    struct field fields[] = {{span_of("Snyk-Version-Served"), span_of(served)},
                             {span_of("snyk-version-lifecycle-stage"), span_of(stage)},
                             {span_of("sunset"), span_of(sunset)}};

    version_seen_answer(seen, operation, fields, sunset ? 3 : 2);
}

static void counts_changes_once(void **state)
{
    _Atomic unsigned long changes = 0;
    struct version_watch *watch = version_watch_new(&changes);
    struct version_seen *one = version_seen_new(watch), *two = version_seen_new(watch);
    struct text page = {0};
    (void)state;

    answer(one, "getIntegration", "2024-10-15", "beta", NULL);
    answer(two, "getIntegration", "2024-10-15", "beta", NULL);
    version_seen_answer(two, "getIntegration", NULL, 0); /* an error page of something in between */
    assert_int_equal(changes, 0);
    answer(one, "getIntegration", "2024-10-15", "deprecated", "2027-01-01");
    answer(two, "getIntegration", "2024-10-15", "deprecated", "2027-01-01");
    answer(one, "getIntegration", "2024-10-15", "deprecated", "2027-01-01");
    assert_int_equal(changes, 1);
    answer(one, "getIntegration", "2026-01-01", "ga",
           NULL); /* another version beside it: once, however often both are asked for */
    answer(one, "getIntegration", "2024-10-15", "deprecated", "2027-01-01");
    answer(one, "getIntegration", "2026-01-01", "ga", NULL);
    assert_int_equal(changes, 2);
    answer(two, "listIntegrations", "2024-10-15", "beta", NULL);
    assert_int_equal(changes, 2);

    version_watch_write(watch, &page);
    assert_non_null(strstr(
        page.data,
        "{operation=\"getIntegration\",served=\"2024-10-15\",stage=\"deprecated\",sunset=\"2027-01-01\","
        "deprecation=\"\"} 1\n"));
    text_free(&page);
    version_seen_free(one);
    version_seen_free(two);
    version_watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts_changes_once)};

    return cmocka_run_group_tests_name("version_watch", tests, NULL, NULL);
}
