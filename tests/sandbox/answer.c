#include "tests/sandbox/answer.h"

#include "tests/sandbox/status.h"

void answer_clear(struct answer *answer)
{
    answer->status = 0;
    answer->content_type = NULL;
    answer->open = false;
    answer->problems = 0;
    text_clear(&answer->fields);
    text_clear(&answer->body);
}

void answer_free(struct answer *answer)
{
    text_free(&answer->fields);
    text_free(&answer->body);
}

void answer_field(struct answer *answer, const char *name, struct span value)
{
    text_add_string(&answer->fields, name);
    text_add_string(&answer->fields, ": ");
    text_add(&answer->fields, value.data, value.length);
    text_add_string(&answer->fields, "\r\n");
}

void answer_begin(struct answer *answer, int status)
{
    answer->status = status;
    answer->content_type = JSON_API_TYPE;
    answer->open = true;
    text_clear(&answer->body);
    text_add_string(&answer->body, "{\"jsonapi\":{\"version\":\"1.0\"}");
}

void answer_problem(struct answer *answer, int status, const char *source, struct span input,
                    const char *detail)
{
    char id[UUID_LENGTH + 1];

    if (answer->problems == 0)
        answer_begin(answer, status);
    text_add_string(&answer->body, answer->problems++ == 0 ? ",\"errors\":[" : ",");
    uuid_make(answer->ids, id);
    text_add_format(&answer->body, "{\"id\":\"%s\",\"status\":\"%d\",\"title\":\"%s\",\"detail\":", id,
                    status, status_reason(status));
    text_add_json(&answer->body, span_of(detail));
    if (source != NULL) {
        text_add_format(&answer->body, ",\"source\":{\"%s\":", source);
        text_add_json(&answer->body, input);
        text_add_string(&answer->body, "}");
    }
    text_add_string(&answer->body, "}");
}

void answer_error(struct answer *answer, int status, const char *detail)
{
    answer->problems = 0;
    answer_problem(answer, status, NULL, span_of(NULL), detail);
}

void answer_end(struct answer *answer)
{
    if (answer->open)
        text_add_string(&answer->body, answer->problems > 0 ? "]}" : "}");
    answer->open = false;
}
