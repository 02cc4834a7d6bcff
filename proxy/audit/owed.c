#include "proxy/audit/owed.h"

void journal_owe(struct journal *journal, struct journal_port *port, const struct record_fields *fields)
{
    struct record record = {0};
    bool built = record_build(fields, &record);

    record.owed = true;
    if (!built || !journal_append(port, &record, NULL, NULL))
        journal_missed(journal, 1);
    record_free(&record);
}
