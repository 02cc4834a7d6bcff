/* What the verifier found, as a list. */
#include "proxy/audit/verify_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    bool damage;
} kinds[] = {
    [VERIFY_CHANGED] = {"changed", true},
    [VERIFY_INSERTED] = {"inserted", true},
    [VERIFY_MISSING] = {"missing", true},
    [VERIFY_MOVED] = {"moved", true},
    [VERIFY_REPEATED] = {"repeated", true},
    [VERIFY_APPENDED] = {"appended", true},
    [VERIFY_TRUNCATED] = {"truncated", true},
    [VERIFY_FORM] = {"form", true},
    [VERIFY_HEADER] = {"header", true},
    [VERIFY_CHECKPOINT] = {"checkpoint", true},
    [VERIFY_UNSIGNED] = {"unsigned", true},
    [VERIFY_KEY] = {"key", true},
    [VERIFY_ROLLED_BACK] = {"rolled-back", true},
    [VERIFY_UNPROVEN] = {"unproven", true},
    [VERIFY_UNREADABLE] = {"unreadable", true},
    [VERIFY_UNCOVERED] = {"uncovered", false},
    [VERIFY_UNFINISHED] = {"unfinished", false},
    [VERIFY_BEGINS_LATER] = {"begins-later", false},
    [VERIFY_CUT] = {"cut", false},
    [VERIFY_EXTENDS] = {"extends", false},
    [VERIFY_UNCHECKED] = {"unchecked", false},
};

_Static_assert(sizeof kinds / sizeof *kinds == VERIFY_KINDS, "a row for each kind");

const char *verify_numbers(uint64_t low, uint64_t high, char text[static VERIFY_NUMBERS])
{
    if (high == 0)
        snprintf(text, VERIFY_NUMBERS, "no number");
    else if (low == high)
        snprintf(text, VERIFY_NUMBERS, "number %" PRIu64, low);
    else
        snprintf(text, VERIFY_NUMBERS, "numbers %" PRIu64 " to %" PRIu64, low, high);
    return text;
}

const char *verify_kind_name(enum verify_kind kind)
{
    return kinds[kind].name;
}

bool verify_kind_damage(enum verify_kind kind)
{
    return kinds[kind].damage;
}

void verify_tell(struct verifier *verifier, enum verify_kind kind, const char *file, uint64_t line,
                 const char *format, ...)
{
    struct verify_report *report = verifier->report;
    struct verify_finding *finding = &report->findings[report->count];
    va_list arguments;

    report->damages += kinds[kind].damage;
    if (report->count == VERIFY_FINDINGS) {
        report->unlisted++;
        return;
    }
    *finding = (struct verify_finding){kind, strdup(file != NULL ? file : ""), line, NULL};
    va_start(arguments, format);
    if (vasprintf(&finding->message, format, arguments) < 0)
        finding->message = NULL;
    va_end(arguments);
    if (finding->file != NULL && finding->message != NULL) {
        report->count++;
        return;
    }
    free(finding->file);
    free(finding->message);
    report->unlisted++;
    report->failed = true;
}

const char *verify_place(const struct verifier *verifier, struct place place, char text[static VERIFY_PLACE])
{
    snprintf(text, VERIFY_PLACE, "%s:%" PRIu64, verifier->files[place.file].name, place.line);
    return text;
}

bool verify_name_number(const char *name, uint64_t *number)
{
    static const size_t digits = 16;

    if (strspn(name, "0123456789") != digits || name[digits] != '-')
        return false;
    *number = strtoull(name, NULL, 10);
    return true;
}

/* Segments first, the newest's end last; remarks behind damages of the same place. */
static int by_place(const void *one, const void *other)
{
    const struct verify_finding *a = one, *b = other;
    int order = (a->file[0] == '\0') - (b->file[0] == '\0');

    if (order == 0)
        order = strcmp(a->file, b->file);
    if (order == 0)
        order = a->line < b->line ? -1 : a->line > b->line;
    if (order == 0)
        order = (int)a->kind - (int)b->kind;
    return order;
}

void verify_sort(struct verify_report *report)
{
    if (report->count > 0)
        qsort(report->findings, report->count, sizeof *report->findings, by_place);
}

void verify_report_free(struct verify_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->findings[i].file);
        free(report->findings[i].message);
    }
    *report = (struct verify_report){0};
}
