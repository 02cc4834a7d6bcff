#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/observe/counters.h"

static void writes_prometheus_text(void **state)
{
    struct counters counters = {.reloads = 3, .reloads_failed = 4};
    struct text page = {0};
    const char *type = "# TYPE portcullis_reloads_total counter\n";
    (void)state;

    counters_write(&counters, &page);
    char *at = strstr(page.data, type);
    assert_non_null(at);
    assert_null(strstr(at + 1, type)); /* one head for a family, however many labels it has */
    assert_non_null(strstr(at, "portcullis_reloads_total{result=\"done\"} 3\n"));
    assert_non_null(strstr(at, "portcullis_reloads_total{result=\"failed\"} 4\n"));
    text_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writes_prometheus_text)};

    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
