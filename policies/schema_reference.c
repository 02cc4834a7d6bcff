#include "policies/ascii.h"
#include "policies/schema_internal.h"

#define HOPS 32 /* from one reference to the next: more is a circle */

bool reference_pointer(const char *reference, struct text *pointer)
{
    if (reference[0] != '#' || (reference[1] != '/' && reference[1] != '\0'))
        return false;
    text_clear(pointer);
    text_add(pointer, "", 0);
    for (const char *c = reference + 1; *c != '\0'; c++) {
        char byte = *c;
        if (*c == '%') {
            int high = ascii_hex(c[1]), low = high < 0 ? -1 : ascii_hex(c[2]);
            if (low < 0 || high + low == 0)
                return false;
            byte = (char)(high * 16 + low);
            c += 2;
        }
        text_add(pointer, &byte, 1);
    }
    return true;
}

/* OpenAPI 3.0 passes over what stands beside a reference; what is passed over must not look as if it counted.
 */
static void check_alone(const struct document *document, json_t *value, const struct text *pointer,
                        struct problems *problems)
{
    const char *name;
    json_t *member;

    json_object_foreach (value, name, member) {
        if (strcmp(name, "$ref") == 0 || strcmp(name, "description") == 0 || strcmp(name, "summary") == 0)
            continue;
        struct text place = {0};
        text_add(&place, pointer->data, pointer->length);
        pointer_add(&place, name);
        problems_add(problems, SEVERITY_ERROR, document, place.failed ? "" : place.data,
                     "\"%s\" beside a \"$ref\" has no effect", name);
        text_free(&place);
    }
}

json_t *reference_follow(const struct document *document, struct text *pointer, struct problems *problems)
{
    struct text place = {0}; /* of the reference, for messages */
    json_t *value = pointer_get(document->root, pointer->data ? pointer->data : "");

    for (unsigned hops = 0; json_is_object(value) && json_object_get(value, "$ref") != NULL; hops++) {
        check_alone(document, value, pointer, problems);
        const char *reference = json_string_value(json_object_get(value, "$ref"));
        text_clear(&place);
        text_add(&place, pointer->data, pointer->length);
        pointer_add(&place, "$ref");

        value = NULL;
        bool followed = hops < HOPS && reference != NULL && reference_pointer(reference, pointer);
        if (place.failed || pointer->failed || hops == HOPS) {
            problems_add(problems, SEVERITY_ERROR, document, place.failed ? "" : place.data, "%s",
                         hops < HOPS ? "out of memory" : "the references lead round in a circle");
        } else if (!followed) {
            problems_add(problems, SEVERITY_ERROR, document, place.data,
                         "a reference must be a text \"#/…\": it is followed within the document only");
        } else if ((value = pointer_get(document->root, pointer->data)) == NULL) {
            problems_add(problems, SEVERITY_ERROR, document, place.data, "the reference leads nowhere");
        }
    }
    text_free(&place);
    return value;
}
