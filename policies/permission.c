#include "policies/permission.h"

enum {
    READ = 1u << 0,
    CREATE = 1u << 1,
    UPDATE = 1u << 2,
    DELETE = 1u << 3,
    SETTINGS_EDIT = 1u << 4,
    PROJECT_READ = 1u << 5,
    APPROVE = 1u << 6,
    EDIT = CREATE | UPDATE | DELETE | SETTINGS_EDIT,
};

/* A name that covers others stands before them, so that the widest one that fits is found first. */
static const char *const names[] = {
    "org.integration.read",   "org.integration.edit",   "org.integration.create",
    "org.integration.update", "org.integration.delete", "org.integration.settings.edit",
    "org.project.read",       "portcullis.approve",     NULL,
};

static const permission_set sets[] = {
    READ, EDIT, CREATE, UPDATE, DELETE, SETTINGS_EDIT, PROJECT_READ, APPROVE,
};

_Static_assert(sizeof names / sizeof *names == sizeof sets / sizeof *sets + 1, "one set for each name");

permission_set permission_named(struct span name)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (span_is(name, names[i]))
            return sets[i];
    return 0;
}

const char *permission_name(permission_set set)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (set == sets[i])
            return names[i];
    for (size_t i = 0; names[i] != NULL; i++)
        if ((set & sets[i]) == sets[i])
            return names[i];
    return "";
}

const char *const *permission_names(void)
{
    return names;
}
