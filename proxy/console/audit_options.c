#include "proxy/console/audit_options.h"

#include "proxy/audit/trust.h"
#include "proxy/console/output.h"

int audit_take_key(const struct option_row *row, const char *value)
{
    char error[512];

    if (trust_add(row->arg, value, error, sizeof error))
        return CONSOLE_DONE;
    output_fault("%s", error);
    return CONSOLE_BAD;
}

int audit_options_read(int argc, char **argv, struct audit_options *options)
{
    const struct option_row rows[] = {{"json", .flag = &options->json}, {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 2)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    options->id = operands.items[1];
    return CONSOLE_DONE;
}
