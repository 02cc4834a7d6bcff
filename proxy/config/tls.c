#include "proxy/config/settings.h"

#include <stdio.h>

/* A listener that is to be encrypted is never served in clear. Is there one? */
static bool check_listeners(const struct config *config, struct problems *problems)
{
    char pointer[48];
    bool used = false;

    for (size_t i = 0; i < config->listen_count; i++) {
        used = used || config->listen[i].tls;
        (void)snprintf(pointer, sizeof pointer, "/listen/%zu/tls", i);
        if (config->listen[i].tls && config->tls.certificate == NULL)
            problems_add(problems, SEVERITY_ERROR, &config->document, pointer,
                         "listen.tls needs a certificate in tls.certificate");
    }
    if (config->approvals.tls && config->tls.certificate == NULL)
        problems_add(problems, SEVERITY_ERROR, &config->document, "/approvals/tls",
                     "approvals.tls needs a certificate in tls.certificate");
    return used || config->approvals.tls;
}

/* What the settings of TLS say together, and with the listeners. */
void config_tls_check(const struct config *config, struct problems *problems)
{
    const bool asks = config->tls.client_certificate != CLIENT_CERTIFICATE_NONE;
    const bool used = check_listeners(config, problems);
    const struct {
        bool wrong;
        enum severity severity;
        const char *pointer, *message;
    } rows[] = {
        {config->tls.certificate != NULL && config->tls.key == NULL, SEVERITY_ERROR, "/tls/certificate",
         "tls.certificate needs tls.key"},
        {config->tls.certificate == NULL && config->tls.key != NULL, SEVERITY_ERROR, "/tls/key",
         "tls.key needs tls.certificate"},
        {!used && config->tls.certificate != NULL, SEVERITY_WARNING, "/tls/certificate",
         "no listener has tls: the certificate is of no use"},
        {asks && config->tls.client_ca == NULL, SEVERITY_ERROR, "/tls/client_certificate",
         "clients' certificates need tls.client_ca, which says who may sign them"},
        {!asks && config->tls.client_ca != NULL, SEVERITY_WARNING, "/tls/client_ca",
         "tls.client_certificate is \"none\": clients are not asked for a certificate"},
        {config->tls.client_crl != NULL && config->tls.client_ca == NULL, SEVERITY_ERROR, "/tls/client_crl",
         "tls.client_crl needs tls.client_ca"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].wrong)
            problems_add(problems, rows[i].severity, &config->document, rows[i].pointer, "%s",
                         rows[i].message);
}
