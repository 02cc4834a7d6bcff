#include "proxy/observe/counters.h"

static size_t family_length(const char *name)
{
    return strcspn(name, "{");
}

void counters_write(const struct counters *counters, struct text *out)
{
    const struct {
        const char *name, *help;
        const _Atomic unsigned long *value;
    } rows[] = {
#define COUNTER_ROW(member, name, help) {name, help, &counters->member},
        COUNTER_TABLE(COUNTER_ROW)
#undef COUNTER_ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int family = (int)family_length(rows[i].name);
        bool new_family = i == 0 || family_length(rows[i - 1].name) != (size_t)family ||
                          strncmp(rows[i - 1].name, rows[i].name, (size_t)family) != 0;
        if (new_family)
            text_add_format(out, "# HELP portcullis_%.*s %s.\n# TYPE portcullis_%.*s counter\n", family,
                            rows[i].name, rows[i].help, family, rows[i].name);
        text_add_format(out, "portcullis_%s %lu\n", rows[i].name,
                        atomic_load_explicit(rows[i].value, memory_order_relaxed));
    }
}
