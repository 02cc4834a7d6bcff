/* The list of listeners: addresses, or objects that say more of one. */
#include "proxy/config/settings.h"
#include "proxy/config/value.h"

#include <inttypes.h>
#include <stdlib.h>

#define MODE_DEFAULT 0660

struct listen_reading {
    struct config *config;
    const struct setting *setting;
    struct problems *problems;
    const char *at; /* pointer to the entry */
    struct config_listener *listener;
    bool failed;
};

/* `member`: of the entry; NULL for the entry itself. */
static void wrong(struct listen_reading *reading, const char *member, const char *what)
{
    struct text pointer = {0};

    text_add_string(&pointer, reading->at);
    if (member != NULL)
        pointer_add(&pointer, member);
    problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document,
                 pointer.failed ? reading->at : pointer.data, "%s%s%s %s", reading->setting->name,
                 member ? "." : "", member ? member : "", what);
    text_free(&pointer);
    reading->failed = true;
}

static void read_address(struct listen_reading *reading, const char *member, json_t *value)
{
    const char *text = json_string_value(value);
    const char *fault =
        text == NULL
            ? "must be a text such as \"127.0.0.1:8080\", \"unix:/run/gate.sock\" or \"systemd:NAME\""
            : address_parse_any(text, &reading->listener->address);

    if (fault != NULL)
        wrong(reading, member, fault);
}

static void read_flag(struct listen_reading *reading, const char *member, json_t *value, bool *flag)
{
    if (json_is_boolean(value))
        *flag = json_is_true(value);
    else
        wrong(reading, member, "must be true or false");
}

static void read_tls(struct listen_reading *reading, const char *member, json_t *value)
{
    read_flag(reading, member, value, &reading->listener->tls);
}

static void read_proxy_protocol(struct listen_reading *reading, const char *member, json_t *value)
{
    read_flag(reading, member, value, &reading->listener->proxy_protocol);
}

/* Three or four octal digits, as chmod takes them. */
static void read_mode(struct listen_reading *reading, const char *member, json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    unsigned long mode = text != NULL && text[0] >= '0' && text[0] <= '7' ? strtoul(text, &end, 8) : 0;

    if (end == NULL || *end != '\0' || mode > 0777)
        wrong(reading, member, "must be permissions in octal, such as \"0660\"");
    else
        reading->listener->mode = (unsigned)mode;
}

static const struct {
    const char *name;
    void (*read)(struct listen_reading *reading, const char *member, json_t *value);
} members[] = {
    {"address", read_address},
    {"tls", read_tls},
    {"proxy_protocol", read_proxy_protocol},
    {"mode", read_mode},
};
#define MEMBERS (sizeof members / sizeof *members)

static void unknown(struct listen_reading *reading, const char *name)
{
    const char *known[MEMBERS + 1] = {0};
    struct text what = {0};

    for (size_t i = 0; i < MEMBERS; i++)
        known[i] = members[i].name;
    const char *nearest = nearest_name(name, known);
    text_add_string(&what, "is no member of a listener");
    if (nearest != NULL)
        text_add_format(&what, "; did you mean \"%s\"?", nearest);
    wrong(reading, name, what.failed ? "is no member of a listener" : what.data);
    text_free(&what);
}

static void read_members(struct listen_reading *reading, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach (object, name, value) {
        size_t i = 0;
        while (i < MEMBERS && strcmp(members[i].name, name) != 0)
            i++;
        if (i < MEMBERS)
            members[i].read(reading, name, value);
        else
            unknown(reading, name);
    }
    if (json_object_get(object, "address") == NULL)
        wrong(reading, NULL, "has an entry without its address");
}

/* Would listening at both fail, or be of no use? */
static bool is_listed(const struct config *config, const struct config_address *address)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_address *other = &config->listen[i].address;
        if (address->kind == other->kind && address->port == other->port &&
            strcmp(address->host, other->host) == 0 && (address->kind != ADDRESS_TCP || address->port != 0))
            return true;
    }
    return false;
}

/* What an entry's members say together. */
static void check_entry(struct listen_reading *reading, json_t *value)
{
    const struct config_listener *listener = reading->listener;
    const struct config_address *address = &listener->address;

    if (is_listed(reading->config, address))
        wrong(reading, NULL, "names this address twice");
    if (address->kind != ADDRESS_UNIX && json_object_get(value, "mode") != NULL)
        wrong(reading, "mode", "is for UNIX sockets only");
    if (!reading->failed && !listener->tls && address->kind == ADDRESS_TCP &&
        !host_is_loopback(address->host))
        problems_add(reading->problems, SEVERITY_WARNING, &reading->config->document, reading->at,
                     "%s can be reached from other machines without encryption: clients' tokens cross the "
                     "network in clear",
                     address->text);
}

static void read_entry(struct listen_reading *reading, json_t *value)
{
    *reading->listener = (struct config_listener){.mode = MODE_DEFAULT};
    if (json_is_object(value))
        read_members(reading, value);
    else
        read_address(reading, NULL, value);
    if (!reading->failed)
        check_entry(reading, value);
    if (reading->failed)
        address_free(&reading->listener->address);
    else
        reading->config->listen_count++;
}

void config_listen_read(struct config *config, const struct setting *setting, const char *pointer,
                        json_t *value, struct problems *problems)
{
    struct listen_reading reading = {.config = config, .setting = setting, .problems = problems};
    size_t count = json_array_size(value);

    if (!json_is_array(value) || count < setting->least || count > setting->most) {
        problems_add(problems, SEVERITY_ERROR, &config->document, pointer,
                     "%s must be a list of %" PRIu64 " to %" PRIu64 " listeners", setting->name,
                     setting->least, setting->most);
        return;
    }
    config->listen = calloc(count, sizeof *config->listen);
    for (size_t i = 0; i < count; i++) {
        struct text at = {0};

        text_add_format(&at, "%s/%zu", pointer, i);
        reading.at = at.failed ? pointer : at.data;
        reading.failed = false;
        reading.listener = config->listen ? &config->listen[config->listen_count] : NULL;
        if (reading.listener != NULL)
            read_entry(&reading, json_array_get(value, i));
        else
            wrong(&reading, NULL, "cannot be kept: memory is out");
        text_free(&at);
    }
}

void config_listen_free(struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        address_free(&config->listen[i].address);
    free(config->listen);
}
