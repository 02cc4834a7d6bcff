/* Windows of time in the conditions of a policy's rules. */
#include "policies/ascii.h"
#include "policies/moment.h"
#include "policies/rules_compiler.h"

#define WINDOWS_MOST 64
#define MINUTES      1440u /* of a day */

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

#define EVERY_DAY 0x7fu

static unsigned days_compile(struct compiler *compiler, const struct place *above, json_t *list)
{
    const struct place place = {.above = above, .member = "days"};
    unsigned days = 0;
    char room[64];

    if (!list_is(compiler, &place, list, 7))
        return EVERY_DAY;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        json_t *name = json_array_get(list, i);
        unsigned day = 0;

        if (!value_is(compiler, &here, name, JSON_STRING))
            continue;
        while (day_names[day] != NULL && !span_is(string_span(name), day_names[day]))
            day++;
        if (day_names[day] == NULL)
            note_error(compiler, &here,
                       "is no day: \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" or "
                       "\"sun\"%s",
                       suggestion(json_string_value(name), day_names, room, sizeof room));
        else
            days |= 1u << day;
    }
    return days;
}

/* "HH:MM" as minutes of the day, 24:00 too; MINUTES + 1 for any other text. */
static unsigned minutes_read(struct span text)
{
    if (text.length != 5 || text.data[2] != ':')
        return MINUTES + 1;
    for (size_t i = 0; i < 5; i++)
        if (i != 2 && !ascii_is_digit(text.data[i]))
            return MINUTES + 1;
    unsigned hour = (unsigned)(text.data[0] - '0') * 10 + (unsigned)(text.data[1] - '0');
    unsigned minute = (unsigned)(text.data[3] - '0') * 10 + (unsigned)(text.data[4] - '0');

    return minute < 60 && hour * 60 + minute <= MINUTES ? hour * 60 + minute : MINUTES + 1;
}

static unsigned minutes_compile(struct compiler *compiler, const struct place *above, json_t *object,
                                const char *member, unsigned most)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);

    if (!value_is(compiler, &place, value, JSON_STRING))
        return 0;
    unsigned minutes = minutes_read(string_span(value));
    if (minutes > most)
        note_error(compiler, &place, "must be a time of the day, \"00:00\" to \"%02u:%02u\" (UTC)", most / 60,
                   most % 60);
    return minutes;
}

static int64_t moment_compile(struct compiler *compiler, const struct place *above, json_t *object,
                              const char *member, int64_t otherwise)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);
    int64_t moment = otherwise;

    if (value_is(compiler, &place, value, JSON_STRING) && !moment_read(string_span(value), &moment))
        note_error(compiler, &place, "must be a moment such as " MOMENT_FORM);
    return moment;
}

static struct window window_compile(struct compiler *compiler, const struct place *place, json_t *value)
{
    static const char *const known[] = {"days", "from", "to", "after", "before", "description", NULL};
    json_t *from = json_object_get(value, "from"), *to = json_object_get(value, "to");
    struct window window = {.timed = from != NULL};

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return window;
    members_check(compiler, place, value, known);
    if (json_object_size(value) == (json_object_get(value, "description") != NULL ? 1u : 0u))
        note_error(compiler, place,
                   "says no time: give \"days\", \"from\" and \"to\", \"after\" or \"before\"");
    if ((from == NULL) != (to == NULL))
        note_error(compiler, place, "needs both of \"from\" and \"to\", or none");
    window.days = days_compile(compiler, place, json_object_get(value, "days"));
    window.from = minutes_compile(compiler, place, value, "from", MINUTES - 1);
    window.to = minutes_compile(compiler, place, value, "to", MINUTES);
    window.after = moment_compile(compiler, place, value, "after", MOMENT_FIRST);
    window.before = moment_compile(compiler, place, value, "before", MOMENT_LAST);
    if (window.after >= window.before)
        note_error(compiler, place, "\"after\" is not earlier than \"before\": this is no time at all");
    return window;
}

void windows_compile(struct compiler *compiler, const struct place *place, json_t *list,
                     struct condition *condition)
{
    size_t count = json_array_size(list);
    struct window *windows;

    if (!list_is(compiler, place, list, WINDOWS_MOST) ||
        (windows = policy_take(compiler, count, sizeof *windows)) == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = place, .element = i};
        windows[i] = window_compile(compiler, &here, json_array_get(list, i));
    }
    condition->windows = windows;
    condition->count = (uint32_t)count;
}
