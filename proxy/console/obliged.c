#include "proxy/console/obliged.h"

const char *decided_by(const struct decide_input *input, const struct decision *decision)
{
    (void)input;
    return decision->rule != NULL && decision->rule[0] != '\0' ? decision->rule : NULL;
}

size_t obliged_names(const struct decide_input *input, const struct decision *decision, const char **names,
                     size_t room)
{
    size_t count = 0;

    (void)input;
    if ((decision->obligations & OBLIGE_JOURNAL) != 0 && count < room)
        names[count++] = "journal";
    return count;
}
