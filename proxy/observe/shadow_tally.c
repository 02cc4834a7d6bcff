#include "proxy/observe/shadow_tally.h"

#include "proxy/observe/exposition.h"

const char *shadow_result_name(enum shadow_result result)
{
    static const char *const names[SHADOW_RESULTS] = {
        [SHADOW_UNASKED] = "unasked",
        [SHADOW_AGREES] = "agrees",
        [SHADOW_CANNOT_SAY] = "cannot-say",
        [SHADOW_WOULD_ALLOW] = "would-allow",
        [SHADOW_WOULD_REFUSE] = "would-refuse",
        [SHADOW_REFUSES_OTHERWISE] = "refuses-otherwise",
        [SHADOW_DEMANDS_OTHERWISE] = "demands-otherwise",
        [SHADOW_OTHER_PRINCIPAL] = "other-principal",
    };

    return names[result];
}

void shadow_tally_request(struct shadow_tally *tally, enum shadow_result result, const char *gate,
                          const char *rule)
{
    figure_add(&tally->results[result], 1);
    if (shadow_disagrees(result))
        figure_add(&tally->disagreements[result][label_set_find(&tally->gates, SHADOW_GATES, gate)]
                                        [label_set_find(&tally->rules, SHADOW_RULES, rule)],
                   1);
}

/* The place in `into` of what stands at a place of `from`. */
static unsigned map_place(const struct label_set *from, unsigned place, struct label_set *into, unsigned most)
{
    return place < label_set_count(from) ? label_set_find(into, most, label_set_value(from, place)) : most;
}

void shadow_tally_gather(const struct shadow_tally *from, struct shadow_tally *into)
{
    for (size_t result = 0; result < SHADOW_RESULTS; result++)
        figure_add(&into->results[result], figure_read(&from->results[result]));
    for (size_t result = SHADOW_WOULD_ALLOW; result < SHADOW_RESULTS; result++)
        for (unsigned gate = 0; gate <= SHADOW_GATES; gate++)
            for (unsigned rule = 0; rule <= SHADOW_RULES; rule++) {
                uint64_t count = figure_read(&from->disagreements[result][gate][rule]);
                if (count > 0)
                    figure_add(
                        &into->disagreements[result]
                                            [map_place(&from->gates, gate, &into->gates, SHADOW_GATES)]
                                            [map_place(&from->rules, rule, &into->rules, SHADOW_RULES)],
                        count);
            }
}

static void write_cell(const struct shadow_tally *tally, size_t result, unsigned gate, unsigned rule,
                       struct text *page)
{
    uint64_t count = figure_read(&tally->disagreements[result][gate][rule]);

    if (count == 0)
        return;
    exposition_name(page, "shadow_disagreements_total");
    exposition_label(page, true, "result", span_of(shadow_result_name((enum shadow_result)result)));
    exposition_label(page, false, "gate", span_of(label_set_value(&tally->gates, gate)));
    exposition_label(page, false, "rule", span_of(label_set_value(&tally->rules, rule)));
    exposition_value(page, true, count, 1);
}

void shadow_tally_write(const struct shadow_tally *tally, struct text *page)
{
    exposition_family(page, "shadow_requests_total", "counter",
                      "Requests that a shadow was judged beside, by what it says");
    for (size_t result = SHADOW_AGREES; result < SHADOW_RESULTS; result++) {
        exposition_name(page, "shadow_requests_total");
        exposition_label(page, true, "result", span_of(shadow_result_name((enum shadow_result)result)));
        exposition_value(page, true, figure_read(&tally->results[result]), 1);
    }
    exposition_family(
        page, "shadow_disagreements_total", "counter",
        "Those that it would decide otherwise, by the gate and the rule that make the difference");
    for (size_t result = SHADOW_WOULD_ALLOW; result < SHADOW_RESULTS; result++)
        for (unsigned gate = 0; gate <= SHADOW_GATES; gate++)
            for (unsigned rule = 0; rule <= SHADOW_RULES; rule++)
                write_cell(tally, result, gate, rule, page);
}
