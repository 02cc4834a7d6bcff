/* Two contracts held against each other, operation by operation. What an operation takes is compared as it is
 * described: which of two schemas lets more pass is not asked. */
#include "policies/diff_internal.h"

#include <stdlib.h>

static void tell(struct diff *diff, enum change_sense sense, const char *subject, const char *before,
                 const char *after, const char *detail)
{
    diff_tell(diff, &(struct change){.sense = sense,
                                     .what = "contract",
                                     .subject = subject,
                                     .before = before,
                                     .after = after,
                                     .detail = detail});
}

/* ---- what describes an operation ---- */

/* A description, or another text for people. Members of `properties` with such a name are no texts. */
static bool is_for_people(const char *name, const json_t *value)
{
    static const char *const names[] = {"description", "summary", "title", "operationId"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return json_is_string(value);
    return false;
}

/* A copy without what is for people; what it refers to is put into `seen`, by its pointer, likewise. NULL
 * when memory is out. */
static json_t *plain(json_t *value, json_t *root, json_t *seen);

static bool follow(const char *pointer, json_t *root, json_t *seen)
{
    json_t *target = pointer[0] == '#' ? pointer_get(root, pointer + 1) : NULL;

    if (target == NULL || json_object_get(seen, pointer) != NULL)
        return true;
    if (json_object_set_new(seen, pointer, json_null()) != 0) /* it may refer to itself */
        return false;
    return json_object_set_new(seen, pointer, plain(target, root, seen)) == 0;
}

static json_t *plain_object(json_t *value, json_t *root, json_t *seen)
{
    json_t *copy = json_object(), *member;
    const char *name;

    json_object_foreach (value, name, member) {
        if (is_for_people(name, member))
            continue;
        bool right = strcmp(name, "$ref") != 0 || !json_is_string(member) ||
                     follow(json_string_value(member), root, seen);
        if (!right || json_object_set_new(copy, name, plain(member, root, seen)) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static json_t *plain_array(json_t *value, json_t *root, json_t *seen)
{
    json_t *copy = json_array(), *element;
    size_t i;

    json_array_foreach (value, i, element) {
        if (json_array_append_new(copy, plain(element, root, seen)) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static json_t *plain(json_t *value, json_t *root, json_t *seen)
{
    if (json_is_object(value))
        return plain_object(value, root, seen);
    return json_is_array(value) ? plain_array(value, root, seen) : json_copy(value);
}

/* The path item and the member of it that has the operationId. */
static json_t *find_described(json_t *root, const char *id, json_t **item)
{
    const char *key, *method;
    json_t *value;

    json_object_foreach (json_object_get(root, "paths"), key, *item) {
        json_object_foreach (*item, method, value) {
            const char *found = json_string_value(json_object_get(value, "operationId"));
            if (found != NULL && strcmp(found, id) == 0)
                return value;
        }
    }
    return NULL;
}

/* All that says what the operation takes and answers, as canonical JSON; the caller frees it. NULL when
 * memory is out, or when it is described in a way that is not followed here. */
static char *description_of(const struct diff_side *side, const char *id)
{
    json_t *root = side->contract_document->root, *item, *found = find_described(root, id, &item);
    json_t *seen = json_object(), *all = json_array();
    char *text = NULL;

    if (found != NULL && json_array_append_new(all, plain(found, root, seen)) == 0 &&
        (json_object_get(item, "parameters") == NULL ||
         json_array_append_new(all, plain(json_object_get(item, "parameters"), root, seen)) == 0) &&
        json_array_append(all, seen) == 0)
        text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(all);
    json_decref(seen);
    return text;
}

static void compare_descriptions(struct diff *diff, const char *id)
{
    char *before = description_of(&diff->old, id), *now = description_of(&diff->new, id);

    if (before == NULL || now == NULL || strcmp(before, now) != 0)
        tell(diff, CHANGE_MAYBE, id, NULL, NULL,
             "its parameters, its body or its answers are described in another way: compare the two files");
    free(before);
    free(now);
}

/* ---- operations ---- */

static const char *effect_name(enum effect effect)
{
    static const char *const names[] = {[EFFECT_READ] = "read",
                                        [EFFECT_CREATE] = "create",
                                        [EFFECT_UPDATE] = "update",
                                        [EFFECT_HARD_DELETE] = "hard-delete"};

    return names[effect];
}

static void compare_operation(struct diff *diff, const struct operation *before, const struct operation *now)
{
    if (strcmp(before->method, now->method) != 0 || strcmp(before->path, now->path) != 0)
        tell(diff, CHANGE_MAYBE, now->id, diff_text(diff, "%s %s", before->method, before->path),
             diff_text(diff, "%s %s", now->method, now->path), "other requests mean this operation");
    if (before->effect != now->effect)
        tell(diff, CHANGE_MAYBE, now->id, effect_name(before->effect), effect_name(now->effect),
             "what is recorded, and which rules look at it, goes by its effect");
    if (before->permission != now->permission)
        tell(diff, CHANGE_OTHER, now->id, before->permission_name, now->permission_name,
             "another permission; the cells say what that comes to");
    compare_descriptions(diff, now->id);
}

void diff_contract(struct diff *diff)
{
    size_t count;
    const struct operation *operations = contract_operations(diff->old.contract, &count);

    for (size_t i = 0; i < count; i++) {
        const struct operation *now = diff_operation(diff->new.contract, operations[i].id);

        if (now != NULL)
            compare_operation(diff, &operations[i], now);
        else
            tell(diff, CHANGE_OTHER, operations[i].id, "there", NULL, "removed");
    }
    operations = contract_operations(diff->new.contract, &count);
    for (size_t i = 0; i < count; i++)
        if (diff_operation(diff->old.contract, operations[i].id) == NULL)
            tell(diff, CHANGE_OTHER, operations[i].id, NULL, "there",
                 "added; the cells say what that comes to");
}
