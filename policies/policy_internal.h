/* What a compiled policy is made of, for the files policy*.c alone. */
#ifndef POLICIES_POLICY_INTERNAL_H
#define POLICIES_POLICY_INTERNAL_H

#include "policies/digest.h"
#include "policies/policy.h"
#include "policies/table.h"

#define EVERYWHERE 0 /* index of the organisation "*"; it is always there, if only empty */

#define ALWAYS 0 /* index of the term without bounds; it is always there */

struct token {
    unsigned char digest[DIGEST_SIZE];
    uint32_t principal;
    uint32_t term; /* index into terms */
};

struct holder {       /* of a certificate, or of OAuth tokens */
    struct span name; /* in the certificate, canonical; the subject. In `texts` */
    uint32_t principal;
};

/* What "enforcement" says. */
enum enforcement { ENFORCEMENT_UNSAID, ENFORCEMENT_ENFORCE, ENFORCEMENT_OBSERVE };

struct organization {
    unsigned char id[16];
    uint32_t first_grant; /* its grants stand together, in the order of the file */
    int credential;
    uint8_t enforcement; /* enum enforcement; of "*" always unsaid */
};

struct grant {
    uint32_t organization, principal;
    permission_set allowed, denied;
    uint32_t term; /* index into terms */
    uint32_t next; /* the next one of the same organisation and principal; TABLE_NONE at the end */
};

struct policy {
    struct arena texts;
    struct version_rules versions;
    struct reconcile_settings reconcile;
    struct rate_limit rate_limit; /* of every principal without one of its own */
    bool limits_rates;            /* some principal has one */
    struct pattern *pattern;
    struct oauth_rules oauth;
    bool has_oauth;
    char digest[DIGEST_TEXT_SIZE];

    struct principal *principals;
    struct token *tokens;
    struct holder *holders;
    struct holder *subjects;
    struct organization *organizations;
    struct grant *grants;
    struct term *terms;
    struct credential_source *credentials;
    struct rule *rules;
    struct rule_index *rule_index; /* once linked */
    enum enforcement enforcement;
    struct audit_row *audit_rows; /* in `texts` */
    uint32_t audit_row_count;
    bool pre_image;
    uint32_t principal_count, token_count, holder_count, organization_count, grant_count, credential_count,
        term_count, rule_count, subject_count;

    struct table by_name;    /* principals */
    struct table by_digest;  /* tokens */
    struct table by_holder;  /* holders */
    struct table by_subject; /* subjects */
    struct table by_id;      /* organisations, "*" not among them */
    struct table by_pair;    /* the first grant of each organisation and principal */
};

/* Keys and hashes of the tables. */
struct grant_pair {
    uint32_t organization, principal;
};

/* Frees the rules, and their index. */
void rules_free(struct policy *policy);
void rule_index_free(struct rule_index *index);

uint64_t hash_digest(const unsigned char digest[DIGEST_SIZE]);
uint64_t hash_id(const unsigned char id[16]);
uint64_t hash_pair(struct grant_pair pair);

uint32_t find_principal(const struct policy *policy, struct span name);
uint32_t find_token(const struct policy *policy, const unsigned char digest[DIGEST_SIZE]);
uint32_t find_holder(const struct policy *policy, struct span name);
uint32_t find_subject(const struct policy *policy, struct span name);
uint32_t find_organization(const struct policy *policy, const unsigned char id[16]);
uint32_t find_grant(const struct policy *policy, struct grant_pair pair);

#endif
