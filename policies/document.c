#include "policies/document_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* What jansson says, by the part of its message that quotes nothing, and what we say. */
static const struct {
    const char *theirs, *ours;
} wordings[] = {
    {"string or '}' expected", "a member name in quotes, or '}', was expected"},
    {"':' expected", "':' was expected after a member name"},
    {"'}' expected", "',' or '}' was expected after a member"},
    {"']' expected", "',' or ']' was expected after an element"},
    {"control character", "a control character in a string must be escaped"},
    {"unexpected newline", "a string must end on the line that it begins on"},
    {"invalid escape", "unknown or broken escape in a string"},
    {"invalid Unicode escape", "\"\\u\" needs four hexadecimal digits"},
    {"invalid Unicode", "half of a surrogate pair is not a character"},
    {"'[' or '{' expected", "a value was expected"},
};

static void fault_set(struct json_fault *fault, unsigned line, unsigned column, const char *message)
{
    fault->line = line > 0 ? line : 1;
    fault->column = column > 0 ? column : 1;
    (void)snprintf(fault->message, sizeof fault->message, "%s", message);
}

static const char *wording_of(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return "out of memory";
    case json_error_premature_end_of_input:
        return "the text ends in the middle of a value";
    case json_error_end_of_input_expected:
        return "nothing may stand behind the value";
    case json_error_invalid_utf8:
        return "not UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "NUL in a string";
    case json_error_duplicate_key:
        return "a member name occurs twice in one object";
    case json_error_numeric_overflow:
        return "a number is out of range";
    default:
        for (size_t i = 0; i < sizeof wordings / sizeof *wordings; i++)
            if (strncmp(error->text, wordings[i].theirs, strlen(wordings[i].theirs)) == 0)
                return wordings[i].ours;
        return "a JSON value was expected";
    }
}

static void fault_at(struct json_fault *fault, struct span text, size_t offset, const char *message)
{
    unsigned line, column;

    text_place(text, offset, &line, &column);
    fault_set(fault, line, column, message);
}

/* Looks for what jansson would let through or pass over. Up to jansson's first error this sees the same
 * strings and brackets as jansson does, so that the bound on depth holds for whatever it goes on to read. */
static bool scan_first(struct span text, size_t depth, struct json_fault *fault)
{
    bool string = false;
    size_t open = 0;

    if (text.length >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        fault_set(fault, 1, 1, "a byte order mark must not stand before the value");
        return false;
    }
    for (size_t at = 0; at < text.length; at++) {
        char c = text.data[at];

        if (c == '\0') {
            fault_at(fault, text, at, "NUL in the text");
            return false;
        }
        if (c == '"')
            string = !string;
        else if (string && c == '\\')
            at += at + 1 < text.length && text.data[at + 1] != '\0';
        else if (!string && (c == '}' || c == ']'))
            open -= open > 0;
        else if (!string && (c == '{' || c == '[') && ++open > depth) {
            fault_at(fault, text, at, "nested too deeply");
            return false;
        }
    }
    return true;
}

json_t *json_read_strict(struct span text, size_t depth, struct json_fault *fault)
{
    json_error_t error;

    *fault = (struct json_fault){0};
    if (text.length == 0) {
        fault_set(fault, 1, 1, "empty: a value was expected");
        return NULL;
    }
    if (!scan_first(text, depth, fault))
        return NULL;

    json_t *value = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        fault_set(fault, error.line > 0 ? (unsigned)error.line : 0,
                  error.column > 0 ? (unsigned)error.column : 0, wording_of(&error));
    return value;
}

bool document_read(struct document *document, const char *name, struct span text, struct problems *problems)
{
    struct json_fault fault;

    *document =
        (struct document){.name = strdup(name), .text = malloc(text.length + 1), .length = text.length};
    if (document->name == NULL || document->text == NULL) {
        problems_add_at(problems, name, 0, 0, "out of memory");
        document->length = 0;
        return false;
    }
    if (text.length > 0)
        memcpy(document->text, text.data, text.length);
    document->text[text.length] = '\0';

    document->root = json_read_strict(text, DOCUMENT_DEPTH, &fault);
    if (document->root == NULL) {
        problems_add_at(problems, name, fault.line, fault.column, "%s", fault.message);
        return false;
    }
    if (!json_is_object(document->root)) {
        problems_add(problems, SEVERITY_ERROR, document, "", "the document must be an object");
        json_decref(document->root);
        document->root = NULL;
        return false;
    }
    return true;
}

void document_free(struct document *document)
{
    free(document->name);
    free(document->text);
    json_decref(document->root);
    *document = (struct document){0};
}
