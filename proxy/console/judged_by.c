#include "proxy/console/judged_by.h"

#include <stdlib.h>

bool judged_by_complete(const struct judged_by *judged_by)
{
    return judged_by->config != NULL || (judged_by->policy != NULL && judged_by->contract != NULL);
}

/* The path instead of what the configuration says. */
static bool put_path(char **setting, const char *path)
{
    char *copy = path != NULL ? strdup(path) : NULL;

    if (path == NULL)
        return true;
    free(*setting);
    *setting = copy;
    return copy != NULL;
}

struct ruleset *judged_by_load(const struct judged_by *judged_by, struct problems *problems)
{
    struct config *config =
        judged_by->config != NULL ? config_read(judged_by->config, problems) : calloc(1, sizeof *config);
    struct ruleset *ruleset = NULL;

    if (config != NULL && put_path(&config->policy, judged_by->policy) &&
        put_path(&config->contract, judged_by->contract))
        ruleset = ruleset_load(config, false, problems);
    else if (problems->errors == 0)
        problems_add_at(problems, "", 0, 0, "memory is out");
    config_free(config);
    return ruleset;
}
