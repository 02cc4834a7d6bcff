/* What is said about values that do not fit. A value is never quoted: it may be a secret. Nor is a member's
 * name that a client chose below a secret. */
#include "policies/schema_check.h"
#include "policies/schema_view.h"
#include "policies/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define FINDINGS_MAX 100
#define NAME_SHOWN   64 /* bytes of a member name that a client chose */
#define NAME_HIDDEN  "*"

bool check_is_full(const struct check *check)
{
    return check->findings->count >= FINDINGS_MAX;
}

/* What is known of the value in a place. */
struct known {
    struct view view;
    bool secret; /* it stands below one, or is one by its name */
};

static bool is_secret(const char *name)
{
    return name != NULL && (name_is_credentials(name) || name_is_secret(name));
}

static bool is_below_secret(const struct place *place)
{
    while (place != NULL && !is_secret(place->name))
        place = place->up;
    return place != NULL;
}

static struct known known_below(const struct known *above, const char *name)
{
    return (struct known){
        .view = view_below(&above->view, name),
        .secret = above->secret || is_secret(name),
    };
}

/* May the name of a member be said? */
static bool may_be_named(const struct known *above, const char *name)
{
    return !above->secret || view_names(&above->view, name);
}

/* The first bytes of a name that a client chose: enough to find it by. In the arena, or the name itself. */
static const char *short_name(struct check *check, const char *name)
{
    struct span bytes = span_of(name);
    size_t at = 0;

    if (bytes.length <= NAME_SHOWN)
        return name;
    for (size_t more; (more = utf8_sequence(bytes, at)) > 0 && at + more <= NAME_SHOWN;)
        at += more;
    const char *shown = arena_format(check->arena, "%.*s…", (int)at, name);
    return shown ? shown : "";
}

/* Adds the way to the place to the pointer, unless that is NULL. One walk, and one that looks at schemas only
 * where a name may have to be hidden: alternatives within alternatives can have this called often, and deep.
 */
static struct known write_place(struct check *check, const struct place *place, struct text *pointer,
                                bool hides)
{
    char index[24];

    if (place == NULL)
        return (struct known){.view = view_of(hides ? check->root : NULL), .secret = false};
    struct known above = write_place(check, place->up, pointer, hides);
    if (pointer == NULL)
        return known_below(&above, place->name);
    if (place->name == NULL)
        (void)snprintf(index, sizeof index, "%zu", place->index);
    pointer_add(pointer, place->name == NULL                 ? index
                         : may_be_named(&above, place->name) ? short_name(check, place->name)
                                                             : NAME_HIDDEN);
    return known_below(&above, place->name);
}

void check_report(struct check *check, const struct place *place, const char *format, ...)
{
    struct findings *findings = check->findings;
    struct text pointer = {0};
    char words[1024];
    va_list arguments;

    if (check_is_full(check))
        return;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    (void)write_place(check, place, &pointer, is_below_secret(place));

    struct finding *finding = arena_take(check->arena, sizeof *finding);
    struct span at = arena_copy(check->arena, (struct span){pointer.data, pointer.length});
    struct span said = arena_copy(check->arena, span_of(words));
    bool whole = finding != NULL && at.data != NULL && said.data != NULL && !pointer.failed;
    text_free(&pointer);
    findings->count++;
    if (!whole) {
        check->failed = true;
        return;
    }
    *finding = (struct finding){at.data, said.data, NULL};
    if (findings->last == NULL)
        findings->last = &findings->first;
    *findings->last = finding;
    findings->last = &finding->next;
}

void check_report_unknown(struct check *check, const struct place *place, const char *nearest)
{
    struct known above = write_place(check, place->up, NULL, is_below_secret(place->up));

    if (may_be_named(&above, place->name))
        check_report(check, place, "The member \"%s\" is not allowed here%s%s%s",
                     short_name(check, place->name), nearest ? "; did you mean \"" : ".",
                     nearest ? nearest : "", nearest ? "\"?" : "");
    else
        check_report(check, place,
                     "A member (its name may be a secret, and is not shown) is not allowed here.");
}

/* "a", "b" or "c" */
const char *check_list(struct check *check, const char *const *names, size_t count)
{
    struct text list = {0};

    for (size_t i = 0; i < count; i++) {
        text_add_string(&list, i == 0 ? "" : i + 1 < count ? ", " : " or ");
        text_add_format(&list, "\"%s\"", names[i]);
    }
    struct span copy = arena_copy(check->arena, (struct span){list.data, list.length});
    check->failed |= list.failed || copy.data == NULL;
    text_free(&list);
    return copy.data ? copy.data : "";
}

void check_report_kind(struct check *check, unsigned kinds, const struct place *place)
{
    static const struct {
        unsigned kinds;
        const char *name;
    } names[] = {
        {KIND_OBJECT, "an object"}, {KIND_ARRAY, "an array"},     {KIND_STRING, "a string"},
        {KIND_NUMBER, "a number"},  {KIND_INTEGER, "an integer"}, {KIND_BOOLEAN, "true or false"},
        {KIND_NULL, "null"},
    };
    struct text list = {0};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((kinds & names[i].kinds) == 0 || (names[i].kinds == KIND_INTEGER && (kinds & KIND_NUMBER) != 0))
            continue;
        text_add_string(&list, list.length > 0 ? " or " : "");
        text_add_string(&list, names[i].name);
    }
    check_report(check, place, "The value must be %s.", list.data ? list.data : "of another kind");
    text_free(&list);
}
