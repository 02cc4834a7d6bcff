#include "proxy/observe/shadow_tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void assert_shows(const struct text *page, const char *line)
{
    if (strstr(page->data, line) == NULL)
        fail_msg("%s is not in\n%s", line, page->data);
}

/* Two workers that met gates and rules in another order are added up by name. */
static void adds_up_by_name(void **state)
{
    struct shadow_tally *one = calloc(1, sizeof *one), *other = calloc(1, sizeof *other),
                        *all = calloc(1, sizeof *all);
    struct text page = {0};

    (void)state;
    shadow_tally_request(one, SHADOW_WOULD_REFUSE, "rules", "lock");
    shadow_tally_request(one, SHADOW_WOULD_REFUSE, "permission", NULL);
    shadow_tally_request(one, SHADOW_AGREES, NULL, NULL);
    shadow_tally_request(other, SHADOW_WOULD_REFUSE, "permission", NULL);
    shadow_tally_request(other, SHADOW_WOULD_REFUSE, "rules", "freeze");
    shadow_tally_request(other, SHADOW_WOULD_REFUSE, "rules", "lock");
    shadow_tally_request(other, SHADOW_CANNOT_SAY, NULL, NULL);
    shadow_tally_gather(one, all);
    shadow_tally_gather(other, all);
    shadow_tally_write(all, &page);
    assert_shows(&page, "portcullis_shadow_requests_total{result=\"agrees\"} 1\n");
    assert_shows(&page, "portcullis_shadow_requests_total{result=\"cannot-say\"} 1\n");
    assert_shows(&page, "portcullis_shadow_requests_total{result=\"would-refuse\"} 5\n");
    assert_shows(&page, "{result=\"would-refuse\",gate=\"rules\",rule=\"lock\"} 2\n");
    assert_shows(&page, "{result=\"would-refuse\",gate=\"rules\",rule=\"freeze\"} 1\n");
    assert_shows(&page, "{result=\"would-refuse\",gate=\"permission\",rule=\"none\"} 2\n");
    text_free(&page);
    free(one);
    free(other);
    free(all);
}

/* Labels are bounded, however many rules a policy has; no count is lost by that. */
static void labels_are_bounded(void **state)
{
    struct shadow_tally *tally = calloc(1, sizeof *tally), *all = calloc(1, sizeof *all);
    struct text page = {0};
    char name[16];

    (void)state;
    for (int i = 0; i < 2 * SHADOW_RULES; i++) {
        (void)snprintf(name, sizeof name, "rule-%d", i);
        shadow_tally_request(tally, SHADOW_WOULD_ALLOW, "rules", name);
    }
    shadow_tally_gather(tally, all);
    shadow_tally_write(all, &page);
    assert_shows(&page, "{result=\"would-allow\"} 96\n");
    assert_shows(&page, "gate=\"rules\",rule=\"rule-47\"} 1\n");
    assert_shows(&page, "gate=\"rules\",rule=\"other\"} 48\n");
    assert_null(strstr(page.data, "rule-48"));
    text_free(&page);
    free(tally);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_by_name),
        cmocka_unit_test(labels_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
