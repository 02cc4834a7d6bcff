#include "policies/entity_tag.h"

#include "policies/fields.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_space(struct span *text)
{
    while (text->length > 0 && is_space(text->data[0]))
        *text = (struct span){text->data + 1, text->length - 1};
}

/* etagc of RFC 9110 §8.8.3. */
static bool is_tag_byte(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte == 0x21 || (byte >= 0x23 && byte <= 0x7e) || byte >= 0x80;
}

/* Takes one entity tag off the list; false when there is none. */
static bool take_tag(struct span *list, bool *weak, struct span *tag)
{
    size_t at;

    *weak = list->length >= 2 && list->data[0] == 'W' && list->data[1] == '/';
    if (*weak)
        *list = (struct span){list->data + 2, list->length - 2};
    if (list->length == 0 || list->data[0] != '"')
        return false;
    for (at = 1; at < list->length && is_tag_byte(list->data[at]); at++)
        ;
    if (at == list->length || list->data[at] != '"')
        return false;
    *tag = (struct span){list->data, at + 1};
    *list = (struct span){list->data + at + 1, list->length - at - 1};
    return true;
}

/* One field's list (RFC 9110 §5.6.1: empty members are passed over). */
static enum if_match judge_list(struct span list, struct span wanted, size_t *count)
{
    enum if_match found = IF_MATCH_FALSE;
    struct span tag;
    bool weak;

    for (;;) {
        skip_space(&list);
        if (list.length > 0 && list.data[0] != ',') {
            if (!take_tag(&list, &weak, &tag))
                return IF_MATCH_MALFORMED;
            (*count)++;
            if (!weak && wanted.data != NULL && span_equal(tag, wanted))
                found = IF_MATCH_TRUE;
            skip_space(&list);
        }
        if (list.length == 0)
            return found;
        if (list.data[0] != ',')
            return IF_MATCH_MALFORMED;
        list = (struct span){list.data + 1, list.length - 1};
    }
}

enum if_match if_match_judge(const struct request *request, struct span tag)
{
    size_t fields = 0, stars = 0, tags = 0;
    bool found = false;

    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (!field_name_equal(field->name, span_of("if-match")))
            continue;
        fields++;
        if (span_is(field->value, "*")) {
            stars++;
            continue;
        }
        switch (judge_list(field->value, tag, &tags)) {
        case IF_MATCH_MALFORMED:
            return IF_MATCH_MALFORMED;
        case IF_MATCH_TRUE:
            found = true;
            break;
        default:
            break;
        }
    }
    if (fields == 0)
        return IF_MATCH_NONE;
    if (stars > 0)
        return fields == 1 ? IF_MATCH_TRUE : IF_MATCH_MALFORMED;
    if (tags == 0)
        return IF_MATCH_MALFORMED;
    return found ? IF_MATCH_TRUE : IF_MATCH_FALSE;
}
