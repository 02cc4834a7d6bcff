/* The kinds of settings: what a value of each may be, and where it is kept. */
#include "proxy/config/place.h"
#include "proxy/config/reading.h"
#include "proxy/config/value.h"
#include "proxy/note/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

static void *place(struct reading *reading, const struct setting *setting)
{
    return (char *)reading->config + setting->offset;
}

void config_wrong(struct reading *reading, const char *pointer, const struct setting *setting,
                  const char *what)
{
    problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document, pointer, "%s %s",
                 setting->name, what);
}

/* Stores a text that was just allocated. */
static void store_text(struct reading *reading, const struct setting *setting, const char *pointer,
                       char *text)
{
    if (text == NULL)
        config_wrong(reading, pointer, setting, "cannot be kept: memory is out");
    *(char **)place(reading, setting) = text;
}

static void read_number(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value)) {
        config_wrong(reading, pointer, setting, "must be a whole number");
    } else if (number < 0 || (uint64_t)number < setting->least || (uint64_t)number > setting->most) {
        problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document, pointer,
                     "%s must be from %" PRIu64 " to %" PRIu64, setting->name, setting->least, setting->most);
    } else if (setting->kind == SETTING_BYTES) {
        *(size_t *)place(reading, setting) = (size_t)number;
    } else {
        *(unsigned *)place(reading, setting) = (unsigned)number;
    }
}

static void read_path(struct reading *reading, const struct setting *setting, const char *pointer,
                      json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL || text[0] == '\0')
        config_wrong(reading, pointer, setting,
                     setting->nullable ? "must be a path or null" : "must be a path");
    else if ((setting->kind == SETTING_LOG && strcmp(text, "-") == 0) ||
             (setting->kind == SETTING_KEY && strncmp(text, "pkcs11:", 7) == 0))
        store_text(reading, setting, pointer, strdup(text));
    else
        store_text(reading, setting, pointer, path_beside(reading->path, text));
}

static void read_name(struct reading *reading, const struct setting *setting, const char *pointer,
                      json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL || !name_is_right(text))
        config_wrong(reading, pointer, setting,
                     "must be a name of 1 to 255 visible ASCII characters without space and plus, or null");
    else
        store_text(reading, setting, pointer, strdup(text));
}

/* One word of a command: a program that is not looked for in PATH lies beside the configuration. */
static char *copy_word(const struct reading *reading, const char *text, bool program)
{
    return program && strchr(text, '/') != NULL ? path_beside(reading->path, text) : strdup(text);
}

/* Copies a list of texts; the first one is a program where `program` says so. */
static void store_words(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *list, bool program)
{
    size_t count = json_array_size(list);
    char **words = calloc(count + 1, sizeof *words);
    bool right = words != NULL;

    for (size_t i = 0; right && i < count; i++) {
        words[i] = copy_word(reading, json_string_value(json_array_get(list, i)), program && i == 0);
        right = words[i] != NULL;
    }
    if (!right)
        config_wrong(reading, pointer, setting, "cannot be kept: memory is out");
    *(char ***)place(reading, setting) = words;
}

/* A list of as many members as the setting allows? */
static bool is_list(const struct setting *setting, json_t *value)
{
    size_t count = json_array_size(value);

    return json_is_array(value) && count >= setting->least && count <= setting->most;
}

static void read_command(struct reading *reading, const struct setting *setting, const char *pointer,
                         json_t *value)
{
    bool right = is_list(setting, value);

    for (size_t i = 0; right && i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        right = text != NULL && (i > 0 || text[0] != '\0');
    }
    if (right)
        store_words(reading, setting, pointer, value, true);
    else
        config_wrong(reading, pointer, setting, "must be a list of a program and its arguments, or null");
}

static void read_literals(struct reading *reading, const struct setting *setting, const char *pointer,
                          json_t *value)
{
    bool right = is_list(setting, value);

    for (size_t i = 0; right && i < json_array_size(value); i++) {
        const char *text = json_string_value(json_array_get(value, i));
        right = text != NULL && host_is_literal(text);
    }
    if (right)
        store_words(reading, setting, pointer, value, false);
    else
        config_wrong(
            reading, pointer, setting,
            "must be a list of 1 to 16 literal addresses such as \"192.0.2.1\" or \"2001:db8::1\", without "
            "a port, or null");
}

static void read_origin(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    const char *text = json_string_value(value);
    struct origin origin = {0};
    const char *fault = text ? origin_parse(text, &origin) : "must be a URL such as \"https://api.snyk.io\"";

    if (fault != NULL)
        config_wrong(reading, pointer, setting, fault);
    else
        store_text(reading, setting, pointer, strdup(text));
    origin_free(&origin);
}

static void read_syslog(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    const char *text = json_string_value(value);
    struct place_syslog place = {0};
    const char *fault = text ? place_syslog_parse(text, &place)
                             : "must be a text such as \"unix:/dev/log\" or \"tls://host:6514\", or null";

    if (fault != NULL)
        config_wrong(reading, pointer, setting, fault);
    else
        store_text(reading, setting, pointer, strdup(text));
    place_syslog_free(&place);
}

static void read_webhook(struct reading *reading, const struct setting *setting, const char *pointer,
                         json_t *value)
{
    const char *text = json_string_value(value);
    struct place_webhook place = {0};
    const char *fault = text ? place_webhook_parse(text, &place)
                             : "must be a URL such as \"https://siem.example/in\", or null";

    if (fault != NULL)
        config_wrong(reading, pointer, setting, fault);
    else
        store_text(reading, setting, pointer, strdup(text));
    place_webhook_free(&place);
}

/* The secret itself must not stand in the configuration. */
static void read_secret(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    struct config_secret *secret = place(reading, setting);
    const char *env = json_string_value(json_object_get(value, "env"));
    const char *file = json_string_value(json_object_get(value, "file"));

    if (json_object_size(value) != 1 ||
        (env == NULL || env[0] == '\0') == (file == NULL || file[0] == '\0')) {
        config_wrong(reading, pointer, setting, "must be {\"env\": NAME} or {\"file\": PATH}, or null");
        return;
    }
    secret->env = env != NULL ? strdup(env) : NULL;
    secret->file = file != NULL ? path_beside(reading->path, file) : NULL;
    if (secret->env == NULL && secret->file == NULL)
        config_wrong(reading, pointer, setting, "cannot be kept: memory is out");
}

static void read_choice(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    const char *text = json_string_value(value), *const *choices = setting_choices(setting);
    struct text words = {0};

    for (unsigned i = 0; choices != NULL && choices[i] != NULL; i++) {
        if (text != NULL && strcmp(text, choices[i]) == 0) {
            *(unsigned *)place(reading, setting) = i;
            text_free(&words);
            return;
        }
        text_add_format(&words, "%s\"%s\"", i > 0 ? ", " : "must be one of ", choices[i]);
    }
    config_wrong(reading, pointer, setting, words.failed ? "has no such value" : words.data);
    text_free(&words);
}

static void read_account(struct reading *reading, const struct setting *setting, const char *pointer,
                         json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL || text[0] == '\0')
        config_wrong(reading, pointer, setting, "must be a name, or null");
    else
        store_text(reading, setting, pointer, strdup(text));
}

static void read_switch(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    if (json_is_boolean(value))
        *(bool *)place(reading, setting) = json_is_true(value);
    else
        config_wrong(reading, pointer, setting, "must be true or false");
}

static void read_verifier(struct reading *reading, const struct setting *setting, const char *pointer,
                          json_t *value)
{
    const char *text = json_string_value(value), *fault = "not a text";
    struct note_key key;

    if (text != NULL && note_key_read(span_of(text), &key, &fault))
        store_text(reading, setting, pointer, strdup(text));
    else
        problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document, pointer,
                     "%s must be a public key of signed notes, or null: this is %s", setting->name, fault);
}

static void read_listeners(struct reading *reading, const struct setting *setting, const char *pointer,
                           json_t *value)
{
    config_listen_read(reading->config, setting, pointer, value, reading->problems);
}

/* What fits into a sockaddr_un. */
static void read_socket(struct reading *reading, const struct setting *setting, const char *pointer,
                        json_t *value)
{
    char **path = place(reading, setting);

    read_path(reading, setting, pointer, value);
    if (*path == NULL || strlen(*path) < sizeof((struct sockaddr_un *)NULL)->sun_path)
        return;
    config_wrong(reading, pointer, setting,
                 "is too long for a UNIX socket: its absolute path holds 107 bytes at most");
    free(*path);
    *path = NULL;
}

static void read_networks(struct reading *reading, const struct setting *setting, const char *pointer,
                          json_t *value)
{
    config_networks_read(reading->config, setting, pointer, value, reading->problems);
}

static void read_admin(struct reading *reading, const struct setting *setting, const char *pointer,
                       json_t *value)
{
    struct config_address *address = place(reading, setting);
    const char *text = json_string_value(value);
    const char *fault =
        text ? address_parse_any(text, address)
             : "must be a text such as \"127.0.0.1:9464\" or \"unix:/run/portcullis/admin.sock\", or null";

    if (fault == NULL && address->kind == ADDRESS_SYSTEMD)
        fault = "must be an address or unix:PATH";
    if (fault == NULL)
        return;
    config_wrong(reading, pointer, setting, fault);
    address_free(address);
}

typedef void setting_reader(struct reading *reading, const struct setting *setting, const char *pointer,
                            json_t *value);

static setting_reader *const readers[SETTING_KINDS] = {
    [SETTING_LISTENERS] = read_listeners,
    [SETTING_NETWORKS] = read_networks,
    [SETTING_SOCKET] = read_socket,
    [SETTING_ADMIN] = read_admin,
    [SETTING_COUNT] = read_number,
    [SETTING_MILLISECONDS] = read_number,
    [SETTING_SECONDS] = read_number,
    [SETTING_BYTES] = read_number,
    [SETTING_ORIGIN] = read_origin,
    [SETTING_FILE] = read_path,
    [SETTING_DIRECTORY] = read_path,
    [SETTING_LOG] = read_path,
    [SETTING_KEY] = read_path,
    [SETTING_NAME] = read_name,
    [SETTING_COMMAND] = read_command,
    [SETTING_LITERALS] = read_literals,
    [SETTING_SYSLOG] = read_syslog,
    [SETTING_WEBHOOK] = read_webhook,
    [SETTING_SECRET] = read_secret,
    [SETTING_CHOICE] = read_choice,
    [SETTING_ACCOUNT] = read_account,
    [SETTING_SWITCH] = read_switch,
    [SETTING_VERIFIER] = read_verifier,
};

void config_read_value(struct reading *reading, const struct setting *setting, const char *pointer,
                       json_t *value)
{
    readers[setting->kind](reading, setting, pointer, value);
}
