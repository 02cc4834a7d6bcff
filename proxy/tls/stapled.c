#include "proxy/tls/stapled.h"

#include "proxy/base/file.h"
#include "proxy/tls/asn1_time.h"
#include "proxy/tls/pem.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES 65536

static X509 *issuer_of(X509 *certificate, STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (X509_check_issued(sk_X509_value(chain, i), certificate) == X509_V_OK)
            return sk_X509_value(chain, i);
    return NULL;
}

/* Is the answer about this certificate? Answers name it by hashes of the issuer's name and key, and its
 * number. */
static bool is_about(const OCSP_CERTID *id, X509 *certificate, X509 *issuer)
{
    ASN1_OBJECT *hash = NULL;

    if (OCSP_id_get0_info(NULL, &hash, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return false;
    const EVP_MD *digest = EVP_get_digestbyobj(hash);
    OCSP_CERTID *ours = digest != NULL ? OCSP_cert_to_id(digest, certificate, issuer) : NULL;
    bool same = ours != NULL && OCSP_id_cmp(ours, id) == 0;
    OCSP_CERTID_free(ours);
    return same;
}

static OCSP_SINGLERESP *answer_about(OCSP_BASICRESP *basic, X509 *certificate, X509 *issuer)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *answer = OCSP_resp_get0(basic, i);
        if (is_about(OCSP_SINGLERESP_get0_id(answer), certificate, issuer))
            return answer;
    }
    return NULL;
}

static bool is_signed(OCSP_BASICRESP *basic, X509 *issuer)
{
    X509_STORE *trusted = X509_STORE_new();
    STACK_OF(X509) *known = sk_X509_new_null();
    bool good = trusted != NULL && known != NULL && X509_STORE_add_cert(trusted, issuer) == 1 &&
                X509_STORE_set_flags(trusted, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
                sk_X509_push(known, issuer) > 0 && OCSP_basic_verify(basic, known, trusted, 0) == 1;

    sk_X509_free(known);
    X509_STORE_free(trusted);
    return good;
}

/* NULL, or what is wrong. */
static const char *examine(OCSP_RESPONSE *response, X509 *certificate, STACK_OF(X509) * chain, int64_t *until)
{
    X509 *issuer = issuer_of(certificate, chain);
    OCSP_BASICRESP *basic = NULL;
    ASN1_GENERALIZEDTIME *next = NULL;
    const char *fault = NULL;

    if (response == NULL)
        return "is no OCSP response in DER form";
    if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return "is the responder's word that it had no answer";
    if (issuer == NULL)
        return "cannot be verified: tls.certificate does not hold the certificate of the issuer";
    if ((basic = OCSP_response_get1_basic(response)) == NULL)
        return "is an OCSP response of a kind that is not known";

    OCSP_SINGLERESP *answer = answer_about(basic, certificate, issuer);
    if (answer == NULL)
        fault = "is about another certificate";
    else if (!is_signed(basic, issuer))
        fault = "is not signed by the certificate's issuer";
    else if (OCSP_single_get0_status(answer, NULL, NULL, NULL, &next) != V_OCSP_CERTSTATUS_GOOD)
        fault = "does not say that the certificate is good";
    else if (next == NULL || !asn1_time_read(next, until))
        fault = "does not say until when it is good";
    OCSP_BASICRESP_free(basic);
    return fault;
}

bool stapled_read(const char *path, X509 *certificate, STACK_OF(X509) * chain, struct stapled *out,
                  char *error, size_t error_size)
{
    struct text bytes = {0};
    const char *problem = "memory is out";

    if (!file_read(path, FILE_BYTES, &bytes, &problem)) {
        (void)snprintf(error, error_size, "cannot be read: %s", problem);
        text_free(&bytes);
        return false;
    }
    ERR_clear_error();
    const unsigned char *at = (const unsigned char *)bytes.data;
    OCSP_RESPONSE *response = bytes.length > 0 ? d2i_OCSP_RESPONSE(NULL, &at, (long)bytes.length) : NULL;
    problem = examine(response, certificate, chain, &out->until);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    if (problem != NULL) {
        (void)snprintf(error, error_size, "%s", problem);
        text_free(&bytes);
        return false;
    }
    out->bytes = (unsigned char *)bytes.data;
    out->length = bytes.length;
    return true;
}

void stapled_free(struct stapled *stapled)
{
    free(stapled->bytes);
    *stapled = (struct stapled){0};
}
