#include "proxy/audit/entry.h"

#include <stdlib.h>

bool entry_add(struct entry_list *list, const struct record_fields *fields)
{
    struct entry *entry = calloc(1, sizeof *entry);

    if (entry == NULL || !record_build(fields, &entry->record)) {
        free(entry);
        return false;
    }
    STAILQ_INSERT_TAIL(list, entry, next);
    return true;
}

void entry_free(struct entry *entry)
{
    if (entry == NULL)
        return;
    record_free(&entry->record);
    if (entry->claims != NULL) {
        text_free(&entry->claims->texts);
        free(entry->claims->replay);
        free(entry->claims);
    }
    free(entry);
}

void entry_list_free(struct entry_list *list)
{
    struct entry *entry;

    while ((entry = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, next);
        entry_free(entry);
    }
}
