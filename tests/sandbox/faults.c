#include "tests/sandbox/faults.h"

#include <stdlib.h>

struct fault_rule {
    struct fault_rule *next;
    uint64_t id;
    uint64_t left; /* how often still; counted down only where it is not endless */
    bool endless;
    json_t *root; /* what was set; the strings below are its */
    const char *method;
    const char *path_prefix;
    json_t *fields; /* header fields that the request must have */
    struct fault fault;
};

static bool read_match_fields(struct fault_rule *rule, json_t *value, struct fault_error *error)
{
    const char *name;
    json_t *field;

    if (!json_is_object(value))
        return fault_wrong(error, "/match", "header", "header must be an object of names and values");
    json_object_foreach (value, name, field) {
        for (const char *c = name; *c != '\0'; c++)
            if (*c != ascii_lower(*c))
                return fault_wrong(error, "/match", "header",
                                   "names of header fields are matched in lower case");
        if (!json_is_string(field))
            return fault_wrong(error, "/match", "header", "the value of a header field must be a string");
    }
    rule->fields = value;
    return true;
}

static bool read_match(struct fault_rule *rule, json_t *match, struct fault_error *error)
{
    const char *name;
    json_t *value;

    if (match != NULL && !json_is_object(match))
        return fault_wrong(error, "/match", "", "match must be an object");
    json_object_foreach (match, name, value) {
        if (strcmp(name, "header") == 0) {
            if (!read_match_fields(rule, value, error))
                return false;
        } else if (strcmp(name, "method") != 0 && strcmp(name, "path_prefix") != 0) {
            return fault_wrong(error, "/match", "", "unknown member \"%.60s\"", name);
        } else if (!json_is_string(value)) {
            return fault_wrong(error, "/match", "", "%s must be a string", name);
        }
    }
    rule->method = json_string_value(json_object_get(match, "method"));
    rule->path_prefix = json_string_value(json_object_get(match, "path_prefix"));
    return true;
}

static bool read_rule(struct fault_rule *rule, struct fault_error *error)
{
    json_t *count = json_object_get(rule->root, "count"), *value;
    const char *name;

    if (!json_is_object(rule->root))
        return fault_wrong(error, "", "", "must be an object");
    json_object_foreach (rule->root, name, value) {
        if (strcmp(name, "match") != 0 && strcmp(name, "fault") != 0 && strcmp(name, "count") != 0)
            return fault_wrong(error, "", "", "unknown member \"%.60s\"", name);
    }
    if (count != NULL && (!json_is_integer(count) || json_integer_value(count) < 0))
        return fault_wrong(error, "", "count", "count must be a whole number, 0 for no end");
    rule->left = count ? (uint64_t)json_integer_value(count) : 1;
    rule->endless = rule->left == 0;
    return read_match(rule, json_object_get(rule->root, "match"), error) &&
           fault_read(&rule->fault, json_object_get(rule->root, "fault"), error);
}

static void free_rule(struct fault_rule *rule)
{
    json_decref(rule->root);
    free(rule);
}

uint64_t faults_add(struct faults *faults, struct span text, struct fault_error *error)
{
    struct fault_rule *rule = calloc(1, sizeof *rule), **last = &faults->first;
    json_error_t fault;

    if (rule == NULL) {
        fault_wrong(error, "", "", "memory is out");
        return 0;
    }
    rule->root =
        json_loadb(text.data ? text.data : "", text.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (rule->root == NULL)
        fault_wrong(error, "", "", "line %d, column %d: %s", fault.line, fault.column, fault.text);
    if (rule->root == NULL || !read_rule(rule, error)) {
        free_rule(rule);
        return 0;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = rule;
    rule->id = ++faults->last_id;
    return rule->id;
}

static bool has_fields(const struct http_request *request, json_t *fields)
{
    const char *name;
    json_t *value;

    json_object_foreach (fields, name, value) {
        struct span wanted = {json_string_value(value), json_string_length(value)};
        struct span given = http_field(request, name);

        if (given.data == NULL || !span_equal(given, wanted))
            return false;
    }
    return true;
}

static bool rule_matches(const struct fault_rule *rule, const struct http_request *request)
{
    size_t prefix = rule->path_prefix ? strlen(rule->path_prefix) : 0;

    if (rule->left == 0 && !rule->endless)
        return false;
    if (rule->method != NULL && !span_is(request->method, rule->method))
        return false;
    if (prefix > request->target.length ||
        (prefix > 0 && memcmp(request->target.data, rule->path_prefix, prefix) != 0))
        return false;
    return has_fields(request, rule->fields);
}

const struct fault *faults_take(struct faults *faults, const struct http_request *request)
{
    for (struct fault_rule *rule = faults->first; rule != NULL; rule = rule->next)
        if (rule_matches(rule, request)) {
            rule->left -= !rule->endless;
            return &rule->fault;
        }
    return NULL;
}

void faults_settle(struct faults *faults)
{
    for (struct fault_rule **at = &faults->first; *at != NULL;) {
        struct fault_rule *rule = *at;

        if (rule->left > 0 || rule->endless) {
            at = &rule->next;
            continue;
        }
        *at = rule->next;
        free_rule(rule);
    }
}

void faults_write(const struct faults *faults, struct text *out)
{
    for (const struct fault_rule *rule = faults->first; rule != NULL; rule = rule->next) {
        char *match = json_dumps(json_object_get(rule->root, "match"), JSON_COMPACT);
        char *fault = json_dumps(json_object_get(rule->root, "fault"), JSON_COMPACT);

        text_add_format(out, "%s{\"id\":%llu,\"match\":%s,\"fault\":%s,\"count\":%llu}",
                        rule == faults->first ? "" : ",", (unsigned long long)rule->id, match ? match : "{}",
                        fault ? fault : "{}", (unsigned long long)rule->left);
        free(match);
        free(fault);
    }
}

bool faults_remove(struct faults *faults, struct span id)
{
    char *end, number[24] = {0};

    if (id.length == 0 || id.length >= sizeof number)
        return false;
    memcpy(number, id.data, id.length);
    unsigned long long wanted = strtoull(number, &end, 10);
    for (struct fault_rule **at = &faults->first; *end == '\0' && *at != NULL; at = &(*at)->next)
        if ((*at)->id == wanted) {
            struct fault_rule *rule = *at;

            *at = rule->next;
            free_rule(rule);
            return true;
        }
    return false;
}

void faults_clear(struct faults *faults)
{
    while (faults->first != NULL) {
        struct fault_rule *rule = faults->first;

        faults->first = rule->next;
        free_rule(rule);
    }
}
