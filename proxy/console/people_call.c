#include "proxy/console/people_call.h"

#include "proxy/base/process.h"
#include "proxy/base/secret.h"
#include "proxy/config/config.h"
#include "proxy/console/output.h"
#include "proxy/console/people_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define VARIABLE "PORTCULLIS_TOKEN"

/* ---- whose token ---- */

static const char *read_token_file(const char *path, char *room, size_t *length)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return strerrordesc_np(errno);
    const char *fault = secret_read(file, room, SECRET_ROOM, length);
    if (!is_stdin)
        (void)close(file);
    return fault;
}

/* A part of `room`; empty after a message. */
static struct span read_token(const struct people_options *options, char room[static SECRET_ROOM])
{
    const char *source = options->token_file != NULL ? options->token_file : VARIABLE;
    const char *variable = options->token_file == NULL ? getenv(VARIABLE) : "";
    const char *fault = NULL;
    size_t length = 0;

    if (variable == NULL) {
        output_fault("no token: name a file with --token-file, or set %s", VARIABLE);
        return (struct span){NULL, 0};
    }
    if (options->token_file != NULL)
        fault = read_token_file(options->token_file, room, &length);
    else
        length = (size_t)snprintf(room, SECRET_ROOM, "%s", variable);
    if (length >= SECRET_ROOM)
        length = SECRET_ROOM - 1;
    struct span token = secret_trim((struct span){room, length});
    if (fault == NULL)
        fault = secret_fault(token);
    if (fault == NULL)
        return token;
    output_fault("the token of %s %s", source, fault);
    return (struct span){NULL, 0};
}

/* ---- where ---- */

/* A copy, to be freed; NULL after a message. */
static char *find_address(const struct people_options *options)
{
    struct problems problems = {0};
    struct config *config;
    char *at = NULL;

    if ((options->at == NULL) == (options->config == NULL)) {
        output_fault("say where the gate listens for people: --at ADDRESS or -c FILE");
        return NULL;
    }
    if (options->at != NULL)
        return strdup(options->at);
    config = config_examine(options->config, &problems);
    if (config == NULL)
        output_problems(&problems);
    else if (config->approvals.listen.text == NULL)
        output_fault("%s has no approvals.listen", options->config);
    else if (asprintf(&at, "%s%s", config->approvals.tls ? "https://" : "", config->approvals.listen.text) <
             0)
        at = NULL;
    config_free(config);
    problems_free(&problems);
    return at;
}

/* ---- the call ---- */

static void make_request(const struct people_options *options, const char *method, const char *path,
                         struct span token, struct text *request)
{
    (void)text_reserve(request,
                       SECRET_ROOM + 4096); /* so that it does not move, and leave the token behind */
    text_add_format(request,
                    "%s %s HTTP/1.1\r\nHost: approvals\r\nConnection: close\r\nAccept: "
                    "application/vnd.api+json\r\nAuthorization: token %.*s\r\n",
                    method, path, (int)token.length, token.data);
    if (options->reason != NULL) {
        struct text body = {0};

        text_add_string(&body, "{\"reason\":");
        text_add_json(&body, span_of(options->reason));
        text_add_string(&body, "}");
        text_add_format(request, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        body.length);
        text_add(request, body.data, body.length);
        request->failed |= body.failed;
        text_free(&body);
    } else {
        text_add_string(request, "\r\n");
    }
}

/* Status of the answer, and what stands behind its head; 0 when it is none of HTTP/1.1, or was cut off. */
static int take_apart(const struct text *answer, struct span *content)
{
    const char *end = answer->length > 13 ? memmem(answer->data, answer->length, "\r\n\r\n", 4) : NULL;
    static const char length_field[] = "\r\ncontent-length:";

    if (end == NULL || memcmp(answer->data, "HTTP/1.1 ", 9) != 0)
        return 0;
    size_t head = (size_t)(end - answer->data);
    *content = (struct span){end + 4, answer->length - head - 4};
    for (size_t at = 0; at + sizeof length_field - 1 < head; at++)
        if (strncasecmp(answer->data + at, length_field, sizeof length_field - 1) == 0 &&
            strtoull(answer->data + at + sizeof length_field - 1, NULL, 10) != content->length)
            return 0;
    return atoi(answer->data + 9);
}

void people_add_filter(struct text *path, const char *organization)
{
    if (organization != NULL)
        text_add_format(path, "?organization=%s", organization);
}

void people_add(struct text *out, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    text_add_visible(out, text == NULL || *text == '\0' ? "-" : text);
}

static int refuse(int status, const json_t *document)
{
    const json_t *error = json_array_get(json_object_get(document, "errors"), 0);
    struct text message = {0};

    text_add_format(&message, "portcullis: refused: %d ", status);
    people_add(&message, error, "code");
    text_add_string(&message, ": ");
    people_add(&message, error, "detail");
    text_add_string(&message, "\n");
    output_text(stderr, &message);
    return CONSOLE_NO;
}

static int read_answer(const struct people_options *options, const char *at, const struct text *answer,
                       json_t **data)
{
    struct span content;
    int status = take_apart(answer, &content);
    json_t *document =
        status > 0 ? json_loadb(content.data, content.length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    int result = CONSOLE_DONE;

    if (!json_is_object(document)) {
        output_fault("%s: what answers there is no gate's listener for people, or was cut off", at);
        result = CONSOLE_BAD;
    } else if (options->json) {
        struct text copy = {0};
        text_add(&copy, content.data, content.length);
        text_add_string(&copy, "\n");
        output_text(stdout, &copy);
        result = status < 300 ? CONSOLE_DONE : CONSOLE_NO;
    } else if (status >= 300) {
        result = refuse(status, document);
    } else {
        *data = json_incref(json_object_get(document, "data"));
    }
    json_decref(document);
    return result;
}

int people_call(const struct people_options *options, const char *method, const char *path, json_t **data)
{
    char room[SECRET_ROOM], error[256];
    struct text request = {0}, answer = {0};
    int result = CONSOLE_BAD;

    *data = NULL;
    process_hide();
    char *at = find_address(options);
    struct span token = at != NULL ? read_token(options, room) : (struct span){NULL, 0};
    if (token.data == NULL)
        goto done;
    make_request(options, method, path, token, &request);
    if (request.failed)
        output_fault("memory is out");
    else if (!people_line(at, options->authorities, &request, &answer, error, sizeof error))
        output_fault("%s: %s", at, error);
    else
        result = read_answer(options, at, &answer, data);
    explicit_bzero(request.data, request.length);

done:
    explicit_bzero(room, sizeof room);
    text_free(&request);
    text_free(&answer);
    free(at);
    return result;
}

bool people_word(const char *what, const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i < length; i++)
        if (word[i] <= ' ' || word[i] == 0x7f || (unsigned char)word[i] > 0x7f ||
            strchr("?#%", word[i]) != NULL)
            length = 0;
    if (length == 0)
        output_fault("%s is no %s", word[0] != '\0' ? word : "\"\"", what);
    return length > 0;
}
