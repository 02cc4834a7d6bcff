#include "proxy/observe/exposition.h"

#include "policies/utf8.h"

#define PREFIX "portcullis_"

void exposition_family(struct text *page, const char *name, const char *type, const char *help)
{
    text_add_format(page, "# HELP " PREFIX "%s %s.\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

void exposition_name(struct text *page, const char *name)
{
    text_add_string(page, PREFIX);
    text_add_string(page, name);
}

/* One character of a label's value, from `at`; how long it was. */
static size_t add_character(struct text *page, struct span value, size_t at)
{
    unsigned char c = (unsigned char)value.data[at];
    size_t length = c < 0x80 ? 1 : utf8_sequence(value, at);

    if (c == '\n')
        text_add(page, "\\n", 2);
    else if (c == '"' || c == '\\')
        text_add(page, c == '"' ? "\\\"" : "\\\\", 2);
    else if (length == 0 || c < ' ' || c == 0x7f)
        text_add_string(page, "\xef\xbf\xbd");
    else
        text_add(page, value.data + at, length);
    return length > 0 ? length : 1;
}

void exposition_label(struct text *page, bool first, const char *name, struct span value)
{
    text_add(page, first ? "{" : ",", 1);
    text_add_string(page, name);
    text_add(page, "=\"", 2);
    for (size_t at = 0; at < value.length;)
        at += add_character(page, value, at);
    text_add(page, "\"", 1);
}

void exposition_number(struct text *page, uint64_t value, uint64_t unit)
{
    uint64_t whole = value / unit, rest = value - whole * unit;

    text_add_number(page, whole);
    if (rest > 0)
        text_add(page, ".", 1);
    for (uint64_t place = unit / 10; rest > 0 && place > 0; place /= 10) {
        uint64_t digit = rest / place;
        text_add_number(page, digit);
        rest -= digit * place;
    }
}

void exposition_value(struct text *page, bool labelled, uint64_t value, uint64_t unit)
{
    text_add_string(page, labelled ? "} " : " ");
    exposition_number(page, value, unit);
    text_add(page, "\n", 1);
}

void exposition_single(struct text *page, const char *name, const char *type, const char *help,
                       uint64_t value, uint64_t unit)
{
    exposition_family(page, name, type, help);
    exposition_name(page, name);
    exposition_value(page, false, value, unit);
}
