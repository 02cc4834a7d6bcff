/* Networks whose word is believed. */
#include "proxy/config/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* NULL, or what is wrong with the entry; there is room for one more. */
static const char *read_entry(struct networks *networks, json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return "must be a text such as \"10.0.0.0/8\", \"2001:db8::/32\" or \"unix:\"";
    if (strcmp(text, "unix:") == 0) {
        bool twice = networks->local;
        networks->local = true;
        return twice ? "names this network twice" : NULL;
    }
    const char *fault = network_parse(text, &networks->items[networks->count]);
    networks->count += fault == NULL ? 1 : 0;
    return fault;
}

void config_networks_read(struct config *config, const struct setting *setting, const char *pointer,
                          json_t *value, struct problems *problems)
{
    struct networks *networks = (struct networks *)(void *)((char *)config + setting->offset);
    size_t count = json_array_size(value);

    if (!json_is_array(value) || count > setting->most) {
        problems_add(problems, SEVERITY_ERROR, &config->document, pointer,
                     "%s must be a list of up to %" PRIu64 " networks", setting->name, setting->most);
        return;
    }
    networks->items = count > 0 ? calloc(count, sizeof *networks->items) : NULL;
    for (size_t i = 0; i < count; i++) {
        struct text at = {0};
        const char *fault = networks->items != NULL ? read_entry(networks, json_array_get(value, i))
                                                    : "cannot be kept: memory is out";

        text_add_format(&at, "%s/%zu", pointer, i);
        if (fault != NULL)
            problems_add(problems, SEVERITY_ERROR, &config->document, at.failed ? pointer : at.data, "%s %s",
                         setting->name, fault);
        text_free(&at);
    }
}

/* A PROXY header is believed from named networks only: without any, nobody could connect. */
void config_networks_check(const struct config *config, struct problems *problems)
{
    char pointer[64];

    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listener *listener = &config->listen[i];
        (void)snprintf(pointer, sizeof pointer, "/listen/%zu/proxy_protocol", i);
        if (listener->proxy_protocol && listener->address.kind == ADDRESS_TCP &&
            config->trusted_networks.count == 0)
            problems_add(problems, SEVERITY_ERROR, &config->document, pointer,
                         "listen.proxy_protocol needs the networks of the proxies in trusted_networks");
    }
}
